{#
    What stands of tables, seeds and views without windows, of which no marker speaks: rows of a
    unique id, a number of rows (none of a view), a digest of how it is defined, and one of the rows
    of those that `digested` names. The runner keeps it of what it has built, and compares.
#}
{% macro _standing_tables(nodes, digested) %}
    {%- set stored = [] -%}
    {%- for node in nodes if daybreak._is_built_as_a_whole(node) -%}
        {%- set relation = load_cached_relation(daybreak._api_relation(node)) -%}
        {%- if relation is not none -%}
            {%- do stored.append({
                'node': node,
                'is_view': relation.is_view,
                'is_digested': node.unique_id in digested and not relation.is_view,
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set found = [] -%}
    {%- if stored -%}
        {%- set asked = adapter.dispatch('standing_tables', 'daybreak')(stored) -%}
        {%- for row in run_query(asked).rows -%}
            {%- do found.append(row.values() | list) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(found) -}}
{% endmacro %}

{#
    Is it made anew as a whole by each build? What grows, sees only today or lies elsewhere is right
    as whoever built it last has left it.
#}
{% macro _is_built_as_a_whole(node) %}
    {{- return(
        node.resource_type in ['model', 'seed']
        and node.config.get('materialized') in ['table', 'view', 'seed']
    ) -}}
{% endmacro %}

{% macro duckdb__standing_tables(stored) %}
    with standing as (
        {%- for one in stored %}
        select
            {{ daybreak._literal(one.node.unique_id) }} as unique_id,
            lower({{ daybreak._literal(one.node.database) }}) as database_name,
            lower({{ daybreak._literal(one.node.schema) }}) as schema_name,
            lower({{ daybreak._literal(one.node.alias) }}) as relation_name,
            {{ 'null' if one.is_view else '(select count(*) from ' ~ one.node.relation_name ~ ')' }}
                as row_count,
            {{ daybreak._digest_of_all(one.node) if one.is_digested else 'null' }} as contents
        {{- ' union all' if not loop.last }}
        {%- endfor %}
    ),

    definitions as (
        select database_name, schema_name, table_name as relation_name, sql from duckdb_tables()
        union all
        select database_name, schema_name, view_name, sql from duckdb_views() where not internal
    )

    select
        standing.unique_id,
        standing.row_count,
        {{ daybreak._engine() }} || md5({{ daybreak._as_it_will_be_read('definitions.sql') }})
            as definition,
        standing.contents
    from standing
    inner join definitions
        on
            standing.database_name = lower(definitions.database_name)
            and standing.schema_name = lower(definitions.schema_name)
            and standing.relation_name = lower(definitions.relation_name)
{% endmacro %}

{#
    DuckDB writes a query otherwise before it has once been read from the file: types are quoted, and
    have the precision that was written.
#}
{% macro _as_it_will_be_read(sql) %}
    {{- return(
        'regexp_replace(regexp_replace(' ~ sql ~ ", '[\"\\s]', '', 'g'), "
        ~ "'(DECIMAL|VARCHAR|TIMESTAMP|TIME|BIT)\\([0-9,]+\\)', '\\1', 'g')"
    ) -}}
{% endmacro %}

{# A digest of all rows as a subquery: a lambda, as a volatile column may not be there. #}
{% macro _digest_of_all(node) %}
    {%- set volatile = [] -%}
    {%- for column in daybreak._volatile_columns(node) -%}
        {%- do volatile.append(daybreak._literal(column)) -%}
    {%- endfor -%}
    {{- return(
        '(select ' ~ daybreak._engine() ~ ' || sum(hash(lasting)) from (select columns(name -> not'
        ~ ' list_contains([' ~ volatile | join(', ') ~ ']::varchar[], lower(name))) from '
        ~ node.relation_name ~ ') as lasting)'
    ) -}}
{% endmacro %}
