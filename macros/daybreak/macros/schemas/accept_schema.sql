{#
    Run-operations for the runner: tell what is recorded of a source, what it looks like now and
    how that differs, in one line of JSON; the first also records it as it is now.
#}
{% macro accept_schema(source_name) %}
    {%- set watched = daybreak._source_named(source_name) -%}
    {%- set columns = daybreak._columns_of_source(watched) -%}
    {%- do daybreak._tell_schema(watched, columns) -%}
    {%- do daybreak._record_schema(source_name, columns) -%}
{% endmacro %}

{% macro report_schema(source_name) %}
    {%- set watched = daybreak._source_named(source_name) -%}
    {%- do daybreak._tell_schema(watched, daybreak._columns_of_source(watched)) -%}
{% endmacro %}

{% macro _source_named(name) %}
    {%- for node in graph.sources.values() if daybreak._source_name(node) == name -%}
        {{- return(node) -}}
    {%- endfor -%}
    {%- do daybreak._stop('there is no source ' ~ name ~ ': write it like landing.transactions') -%}
{% endmacro %}

{% macro _tell_schema(watched, columns) %}
    {%- set recorded = daybreak._recorded_schema(daybreak._source_name(watched)) -%}
    {%- set changes = daybreak._schema_changes(recorded.columns, columns)
        if recorded.columns else [] -%}
    {%- do log('DAYBREAK_REPORT ' ~ tojson({
        'publications': [],
        'evidence': [],
        'schema': {
            'source': daybreak._source_name(watched),
            'columns': columns,
            'recorded': recorded.columns,
            'recorded_at': recorded.recorded_at,
            'changes': changes | map(attribute='actual') | list,
        },
    })) -%}
{% endmacro %}
