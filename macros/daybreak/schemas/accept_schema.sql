{#
    Run-operations for the runner: tell what is recorded of a source, what it looks like now and
    how that differs, in one line of JSON; the first also records it as it is now.
#}
{% macro accept_schema(source_name) %}
    {%- set watched = _source_named(source_name) -%}
    {%- set columns = _columns_of_source(watched) -%}
    {%- do _tell_schema(watched, columns) -%}
    {%- do _record_schema(source_name, columns) -%}
{% endmacro %}

{% macro report_schema(source_name) %}
    {%- set watched = _source_named(source_name) -%}
    {%- do _tell_schema(watched, _columns_of_source(watched)) -%}
{% endmacro %}

{% macro _source_named(name) %}
    {%- for node in graph.sources.values() if _source_name(node) == name -%}
        {{- return(node) -}}
    {%- endfor -%}
    {%- do _stop('there is no source ' ~ name ~ ': write it like landing.transactions') -%}
{% endmacro %}

{% macro _tell_schema(watched, columns) %}
    {%- set recorded = _recorded_schema(_source_name(watched)) -%}
    {%- set changes = _schema_changes(recorded.columns, columns) if recorded.columns else [] -%}
    {%- do log('DAYBREAK_REPORT ' ~ tojson({
        'publications': [],
        'evidence': [],
        'schema': {
            'source': _source_name(watched),
            'columns': columns,
            'recorded': recorded.columns,
            'recorded_at': recorded.recorded_at,
            'changes': changes | map(attribute='actual') | list,
        },
    })) -%}
{% endmacro %}
