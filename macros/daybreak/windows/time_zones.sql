{% macro utc_to_local(expression) %}
    {{- return(adapter.dispatch('utc_to_local', 'daybreak')(expression)) -}}
{% endmacro %}

{% macro default__utc_to_local(expression) %}
    {{- return("((" ~ expression ~ ") at time zone 'UTC' at time zone '" ~ var('timezone') ~ "')") -}}
{% endmacro %}

{% macro local_to_utc(expression) %}
    {{- return(adapter.dispatch('local_to_utc', 'daybreak')(expression)) -}}
{% endmacro %}

{% macro default__local_to_utc(expression) %}
    {{- return("((" ~ expression ~ ") at time zone '" ~ var('timezone') ~ "' at time zone 'UTC')") -}}
{% endmacro %}
