{#
    The zone of the database's session, in which it reads a timestamp with a zone as a date, and a text
    as a timestamp: UTC, or the zone of the machine would shift windows. Called before whatever is
    published or judged.
#}
{% macro _pin_zone() %}
    {{- return(adapter.dispatch('pin_zone', 'daybreak')()) -}}
{% endmacro %}

{% macro default__pin_zone() %}
    {%- do run_query("set time zone 'UTC'") -%}
{% endmacro %}

{# Of the whole process: every thread has a session of its own, views and plain tables too. #}
{% macro duckdb__pin_zone() %}
    {%- do run_query("set global timezone = 'UTC'") -%}
{% endmacro %}
