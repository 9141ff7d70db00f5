{#
    dbt's hook for the relation that a generic test reads. In a run of the runner a test on a
    windowed model, or on a view with an event_time, looks at the rows of the window alone; in a
    plain `dbt build` or `dbt test` at all of them. A `where` in the test's config narrows both.
#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [] -%}
    {%- if config.get('where') -%}
        {%- do conditions.append('(' ~ config.get('where') ~ ')') -%}
    {%- endif -%}
    {%- set node = _judged_node() if execute else none -%}
    {%- if node and _has_window_vars() and _has_windows(node) -%}
        {%- do conditions.append(_in_window_of(node)) -%}
    {%- endif -%}
    {%- if not conditions -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- do return(
        '(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') as dbt_subquery'
    ) -%}
{%- endmacro %}

{% macro _has_windows(node) %}
    {%- set is_view = node.config.get('materialized') == 'view' -%}
    {{- return(_is_windowed(node) or (is_view and node.config.get('event_time') is not none)) -}}
{% endmacro %}
