{% macro utc_to_local(expression) %}
    {{- return(adapter.dispatch('utc_to_local', 'daybreak')(expression)) -}}
{% endmacro %}

{% macro default__utc_to_local(expression) %}
    {%- if daybreak._is_symbolic() -%}
        {{- return(daybreak._symbol_in_zone('utc_to_local', expression)) -}}
    {%- endif -%}
    {{- return(daybreak._change_zone(expression, 'UTC', var('timezone'))) -}}
{% endmacro %}

{% macro local_to_utc(expression) %}
    {{- return(adapter.dispatch('local_to_utc', 'daybreak')(expression)) -}}
{% endmacro %}

{% macro default__local_to_utc(expression) %}
    {%- if daybreak._is_symbolic() -%}
        {{- return(daybreak._symbol_in_zone('local_to_utc', expression)) -}}
    {%- endif -%}
    {{- return(daybreak._change_zone(expression, var('timezone'), 'UTC')) -}}
{% endmacro %}

{# A naive timestamp of one zone as the naive timestamp of another. #}
{% macro _change_zone(expression, from_zone, to_zone) %}
    {{- return(
        '((' ~ expression ~ ") at time zone '" ~ from_zone ~ "' at time zone '" ~ to_zone ~ "')"
    ) -}}
{% endmacro %}
