{#
    `dbt build --empty` takes the rows from all that a check reads, and says nothing of the windows:
    the check must run, and finds none of them bad.
#}
{% macro _unless_empty(sql) %}
    {%- if flags.EMPTY -%}
        {{- return('select * from ' ~ daybreak._subquery(sql, 'rehearsal') ~ ' limit 0') -}}
    {%- endif -%}
    {{- return(sql) -}}
{% endmacro %}
