{#
    dbt's hook for the relation that a generic test reads, where the project lets dbt look here. In a
    run of the runner a test on a windowed model, or on a view with an event_time, looks at the rows of
    the window alone, besides the `where` in its config; any other test reads what dbt has it read.
#}
{% macro default__get_where_subquery(relation) -%}
    {%- set node = daybreak._judged_node() if execute else none -%}
    {%- if not node or not daybreak._has_window_vars() or not daybreak._has_windows(node) -%}
        {%- do return(dbt.default__get_where_subquery(relation)) -%}
    {%- endif -%}
    {%- set conditions = [daybreak._in_window_of(node)] -%}
    {%- if config.get('where') -%}
        {%- do conditions.insert(0, '(' ~ config.get('where') ~ ')') -%}
    {%- endif -%}
    {%- do return(
        '(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') as dbt_subquery'
    ) -%}
{%- endmacro %}

{% macro _has_windows(node) %}
    {%- set is_view = node.config.get('materialized') == 'view' -%}
    {{- return(
        daybreak._is_windowed(node) or (is_view and node.config.get('event_time') is not none)
    ) -}}
{% endmacro %}
