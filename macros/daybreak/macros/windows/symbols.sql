{#
    The text of a model that is the same in every window and asks no database: what says which code
    has made its rows. In it a call of Daybreak's stands as it was written, with what it depends on.
    The runner compiles models so, and a plain `dbt build` for its markers.
#}
{% macro _is_symbolic() %}
    {{- return((model | default({}, true)).get('daybreak_symbolic', false)) -}}
{% endmacro %}

{% macro _symbol(name) %}
    {{- return(name ~ '(' ~ varargs | join(', ') ~ ')') -}}
{% endmacro %}

{# What depends on the project's zone says which that is, as its last argument. #}
{% macro _symbol_in_zone(name) %}
    {%- set arguments = varargs | list + [daybreak._literal(var('timezone'))] -%}
    {{- return(daybreak._symbol(name, *arguments)) -}}
{% endmacro %}
