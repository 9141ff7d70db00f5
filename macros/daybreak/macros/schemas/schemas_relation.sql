{#
    The table of what sources looked like: a row per column, as it was when somebody last said
    that it is right: the first invocation that saw the source, or `runner schema accept`.
#}
{% macro schemas_relation() %}
    {{- return(api.Relation.create(
        database=target.database, schema=target.schema, identifier='daybreak_schemas',
        type='table'
    )) -}}
{% endmacro %}

{# Only where a check will ask for it. #}
{% macro _prepare_schemas() %}
    {%- if daybreak._columns_match_tests() -%}
        {%- do run_query(daybreak._create_schemas()) -%}
    {%- endif -%}
{% endmacro %}

{% macro _create_schemas() %}
    create table if not exists {{ daybreak.schemas_relation() }} (
        relation varchar not null,
        column_name varchar not null,
        data_type varchar not null,
        position integer not null,
        recorded_at timestamp not null
    )
{% endmacro %}

{% macro _columns_match_tests() %}
    {%- set found = [] -%}
    {%- for test in graph.nodes.values()
        if test.resource_type == 'test' and daybreak._check_name(test) == 'daybreak.columns_match' -%}
        {%- do found.append(test) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{# The columns of a source that are recorded, in their order, and when they were. #}
{% macro _recorded_schema(name) %}
    {%- set known = adapter.get_relation(target.database, target.schema, 'daybreak_schemas') -%}
    {%- if known is none -%}
        {{- return({'columns': [], 'recorded_at': none}) -}}
    {%- endif -%}
    {%- set columns = [] -%}
    {%- set state = namespace(recorded_at=none) -%}
    {%- for row in run_query(
        'select column_name, data_type, cast(recorded_at as varchar) as recorded_at from '
        ~ daybreak.schemas_relation() ~ ' where relation = ' ~ daybreak._literal(name)
        ~ ' order by position'
    ).rows -%}
        {%- do columns.append([row['column_name'], row['data_type']]) -%}
        {%- set state.recorded_at = row['recorded_at'] -%}
    {%- endfor -%}
    {{- return({'columns': columns, 'recorded_at': state.recorded_at}) -}}
{% endmacro %}

{# Put the columns of a source in the place of what was recorded of it, in one transaction. #}
{% macro _record_schema(name, columns) %}
    {%- set rows = [] -%}
    {%- for column_name, data_type in columns -%}
        {%- do rows.append('(' ~ [
            daybreak._literal(name),
            daybreak._literal(column_name),
            daybreak._literal(data_type),
            loop.index,
            daybreak._this_invocation(),
        ] | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- do adapter.commit() -%}
    {%- call statement('begin', auto_begin=True) -%}
        {{ daybreak._create_schemas() }}
    {%- endcall -%}
    {%- do run_query(
        'delete from ' ~ daybreak.schemas_relation() ~ ' where relation = '
        ~ daybreak._literal(name)
    ) -%}
    {%- do run_query(
        'insert into ' ~ daybreak.schemas_relation()
        ~ ' (relation, column_name, data_type, position, recorded_at) values '
        ~ rows | join(', ')
    ) -%}
    {%- do adapter.commit() -%}
{% endmacro %}
