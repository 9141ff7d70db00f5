{#
    The table of markers: one row per windowed model and window, committed with the rows that it
    speaks of. After a crash it says what was published, whatever an exit code said.
#}
{% macro publications_relation(database=none) %}
    {{- return(api.Relation.create(
        database=database or target.database, schema=target.schema,
        identifier='daybreak_publications', type='table'
    )) -}}
{% endmacro %}

{# on-run-start. Created here because, created inside the models' transactions, it conflicts. #}
{% macro prepare_publications() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'test', 'run-operation'] -%}
        {%- set databases = [target.database] -%}
        {%- for node in windowed_models() if node.database not in databases -%}
            {%- do databases.append(node.database) -%}
        {%- endfor -%}
        {%- for database in databases -%}
            {%- do adapter.create_schema(publications_relation(database).without_identifier()) -%}
            {%- do run_query(_create_publications(publications_relation(database))) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{% macro _create_publications(relation) %}
    create table if not exists {{ relation }} (
        model varchar not null,
        window_start timestamp not null,
        window_end timestamp not null,
        run_id varchar,
        fence bigint not null,
        code_hash varchar,
        row_count bigint not null,
        published_at timestamp not null,
        verdict varchar,
        judged_at timestamp
    )
{% endmacro %}

{# Replace the markers of this window by new ones, with the rows that each window now holds. #}
{% macro write_publications(relation) %}
    {%- set publications = publications_relation(model.database) -%}
    {%- set bounds = window_bounds() -%}
    {%- set code_hash = (var('code_hashes', none) or {}).get(model.name) -%}
    {%- do run_query(
        'delete from ' ~ publications ~ " where model = '" ~ model.name ~ "' and " ~ _overlaps_window(bounds)
    ) -%}
    {%- call statement('publish') -%}
        insert into {{ publications }} (
            model, window_start, window_end, run_id, fence, code_hash, row_count, published_at
        )
        with windows as ({{ window_spine(config.get('batch_size')) }}),

        counted as (
            select {{ event_window_key(model) }} as window_key, count(*) as row_count
            from {{ relation }}
            where {{ in_window(config.get('event_time'), event_time_as(model)) }}
            group by 1
        )

        select
            '{{ model.name }}',
            windows.window_start,
            windows.window_end,
            {{ _literal(var('run_id', none)) }},
            {{ var('fence', 0) }},
            {{ _literal(code_hash) }},
            coalesce(counted.row_count, 0),
            cast('{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S') }}' as timestamp)
        from windows
        left join counted on windows.window_key = counted.window_key
    {%- endcall -%}
{% endmacro %}

{# A worker that lost its lease must not publish over the one that took it. #}
{% macro refuse_lower_fence() %}
    {%- if var('fence', none) is not none -%}
        {%- set highest = run_query(
            'select max(fence) from ' ~ publications_relation(model.database) ~ " where model = '"
            ~ model.name ~ "' and " ~ _overlaps_window(window_bounds())
        ).rows[0][0] -%}
        {%- if highest is not none and highest > var('fence') | int -%}
            {{ stop('a newer run (fence ' ~ highest ~ ') has published a window of ' ~ model.name
                ~ ' that this one (fence ' ~ var('fence') ~ ') still held: nothing to do, it was done') }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro _overlaps_window(bounds) %}
    {{- return(
        "window_start < cast('" ~ bounds.utc_end ~ "' as timestamp) and window_end > cast('"
        ~ bounds.utc_start ~ "' as timestamp)"
    ) -}}
{% endmacro %}

{% macro _literal(value) %}
    {{- return('null' if value is none else "'" ~ (value | string | replace("'", "''")) ~ "'") -}}
{% endmacro %}
