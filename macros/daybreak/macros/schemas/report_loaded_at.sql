{#
    A run-operation for the runner: tell in one line of JSON up to when a source is loaded, by what
    dbt's own freshness goes by: `loaded_at_query`, or the newest `loaded_at_field` that passes the
    `filter`.
#}
{% macro report_loaded_at(source_name) %}
    {%- set node = daybreak._source_named(source_name) -%}
    {%- set config = node.config or {} -%}
    {%- set query = node.get('loaded_at_query') or config.get('loaded_at_query') -%}
    {%- if not query -%}
        {%- set freshness = node.get('freshness') or {} -%}
        {%- set column = node.get('loaded_at_field') or config.get('loaded_at_field') -%}
        {%- set query -%}
            select max({{ column }}) as loaded_at
            from {{ source(node.source_name, node.name) }}
            {% if freshness.get('filter') %}where {{ freshness.filter }}{% endif %}
        {%- endset -%}
    {%- endif -%}
    {%- set loaded_at = run_query(render(query)).columns[0].values()[0] -%}
    {%- do log('DAYBREAK_REPORT ' ~ tojson({
        'publications': [],
        'evidence': [],
        'loaded_at': [none if loaded_at is none else loaded_at | string],
    })) -%}
{% endmacro %}
