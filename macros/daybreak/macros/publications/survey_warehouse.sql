{#
    A run-operation for the runner: what stands in the warehouse, in a line that is cheap to get and
    to compare. Which warehouse it is; of every node that is stored whether its relation is there;
    of every windowed model how many rows it holds, how many its markers speak of, and a digest of
    these markers: while that is what it was, so is everything that they say. Of what has no windows
    how it stands; the rows of those that `digested` names (unique ids) are digested.
#}
{% macro survey_warehouse(digested=[]) %}
    {%- do daybreak._upgrade_what_is_there() -%}
    {%- set found = {'missing': [], 'models': []} -%}
    {%- set questions = [] -%}
    {%- for node in graph.nodes.values() if daybreak._is_stored(node) -%}
        {%- if load_cached_relation(daybreak._api_relation(node)) is none -%}
            {%- do found.missing.append(node.unique_id) -%}
        {%- elif daybreak._is_windowed(node) and daybreak._has_markers(node.database) -%}
            {%- do questions.append(daybreak._surveyed(node)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if questions -%}
        {%- for row in run_query(questions | join(' union all ')).rows -%}
            {%- do found.models.append(row.values() | list) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do log('DAYBREAK_REPORT ' ~ tojson({
        'publications': [],
        'evidence': [],
        'survey': {
            'warehouse': daybreak._warehouse_id(),
            'missing': found.missing,
            'models': found.models,
            'tables': daybreak._standing_tables(graph.nodes.values(), digested),
        },
    })) -%}
{% endmacro %}

{% macro _surveyed(node) %}
    select
        {{ daybreak._literal(node.unique_id) }} as unique_id,
        {{ daybreak._literal(daybreak._relation_of(node)) }} as relation,
        (select count(*) from {{ node.relation_name }}) as row_count,
        cast(coalesce(sum(row_count), 0) as bigint) as published_rows,
        {{ adapter.dispatch('digest_of_markers', 'daybreak')() }} as markers
    from {{ daybreak.publications_relation(node.database) }}
    where {{ daybreak._is_of(node) }}
{% endmacro %}

{% macro duckdb__digest_of_markers() %}
    {{- return(
        "count(*) || ' ' || coalesce(sum(hash(window_start, window_end, run_id, fence, code_hash,"
        ~ " row_count, contents, contents_since, published_at, verdict, judged_at, checks_hash)), 0)"
    ) -}}
{% endmacro %}

{#
    A run-operation for the runner: the windows, by model, of which the table does not hold what was
    published. Their rows are counted; with `contents` they are digested too. Rows that lie in no
    published window are told as a window that was published with none.
#}
{% macro verify_publications(models, contents=false) %}
    {%- do daybreak._upgrade_what_is_there() -%}
    {%- set differences = [] -%}
    {%- for node in daybreak._windowed_models()
        if node.unique_id in models and daybreak._has_markers(node.database)
        and load_cached_relation(daybreak._api_relation(node)) is not none -%}
        {%- for row in run_query(daybreak._differences_of(node, contents)).rows -%}
            {%- do differences.append([node.unique_id] + row.values() | list) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do log('DAYBREAK_REPORT ' ~ tojson({
        'publications': [], 'evidence': [], 'differences': differences,
    })) -%}
{% endmacro %}

{% macro _differences_of(node, contents) %}
    {%- set asked = daybreak._in_window_of(node) if daybreak._has_window_vars() else 'true' %}
    with found as ({{ daybreak._contents_by_window(node, daybreak._api_relation(node), asked) }}),

    published as (
        select
            {{ daybreak._window_key_of_marker(node) }} as window_key,
            window_start,
            window_end,
            row_count,
            contents
        from {{ daybreak.publications_relation(node.database) }}
        where
            {{ daybreak._is_of(node) }}
            {{ 'and ' ~ daybreak._touches_window() if daybreak._has_window_vars() }}
    )

    select
        cast(published.window_start as varchar) as window_start,
        cast(published.window_end as varchar) as window_end,
        cast(found.window_key as varchar) as window_key,
        published.row_count as published_rows,
        coalesce(found.row_count, 0) as found_rows
    from published
    full outer join found on published.window_key = found.window_key
    where
        coalesce(published.row_count, 0) <> coalesce(found.row_count, 0)
        {% if contents -%}
            or (
                published.contents <> coalesce(found.contents, {{ daybreak._no_contents() }})
                and regexp_extract(published.contents, '^.* ')
                = regexp_extract(coalesce(found.contents, published.contents), '^.* ')
            )
        {%- endif %}
    order by 1, 3
{% endmacro %}

{# Whether a database holds markers; those of an earlier version are brought up to date first. #}
{% macro _has_markers(database) %}
    {{- return(load_cached_relation(daybreak.publications_relation(database)) is not none) -}}
{% endmacro %}

{# Has it a relation of its own? #}
{% macro _is_stored(node) %}
    {{- return(
        node.resource_type in ['model', 'seed', 'snapshot']
        and node.config.get('materialized') not in ['ephemeral', 'external']
    ) -}}
{% endmacro %}

{% macro _api_relation(node) %}
    {{- return(api.Relation.create(
        database=node.database, schema=node.schema, identifier=node.alias
    )) -}}
{% endmacro %}
