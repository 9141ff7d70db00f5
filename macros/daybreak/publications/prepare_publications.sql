{#
    Created before the run because, created inside the models' transactions, it conflicts; in
    every database that holds a windowed model, as a transaction writes one database only. The
    runner hears that dbt is connected, and that nothing of ours is written yet.
#}
{% macro prepare_publications() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'test', 'run-operation'] -%}
        {%- do log('DAYBREAK_CONNECTED') -%}
        {%- set used = _windowed_models() | map(attribute='database') | list -%}
        {%- for database in ([target.database] + used) | unique -%}
            {%- set publications = publications_relation(database) -%}
            {%- do adapter.create_schema(publications.without_identifier()) -%}
            {%- do run_query(_create_publications(publications)) -%}
            {%- do _upgrade_publications(publications) -%}
        {%- endfor -%}
        {%- do _prepare_identity() -%}
        {%- do _prepare_schemas() -%}
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
        judged_at timestamp,
        unique_id varchar,
        relation varchar,
        contents varchar,
        contents_since timestamp,
        checks_hash varchar
    )
{% endmacro %}

{#
    Markers that an earlier version has written say neither which relation they are of, which then
    had the name that it has now, nor what their rows were, nor which checks have judged them.
#}
{% macro _upgrade_publications(publications) %}
    {#- Not the adapter, which would begin a transaction that nobody commits. -#}
    {%- if 'checks_hash' not in _column_names(publications) -%}
        {%- for column in [
            'unique_id varchar', 'relation varchar', 'contents varchar', 'contents_since timestamp',
            'checks_hash varchar',
        ] -%}
            {%- do run_query('alter table ' ~ publications ~ ' add column ' ~ column) -%}
        {%- endfor -%}
        {%- for node in _windowed_models() if node.database == publications.database -%}
            {%- do run_query(
                'update ' ~ publications ~ ' set unique_id = ' ~ _literal(node.unique_id)
                ~ ', relation = ' ~ _literal(_relation_of(node))
                ~ ', contents_since = published_at where model = ' ~ _literal(node.name)
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{# Bring the markers that are there up to date, before the first question about them. #}
{% macro _upgrade_what_is_there() %}
    {%- for database in _windowed_models() | map(attribute='database') | unique -%}
        {%- set publications = publications_relation(database) -%}
        {%- set there -%}
            select count(*) from information_schema.tables
            where lower(table_catalog) = lower({{ _literal(publications.database) }})
                and lower(table_schema) = lower({{ _literal(publications.schema) }})
                and table_name = {{ _literal(publications.identifier) }}
        {%- endset -%}
        {%- if run_query(there).rows[0][0] -%}
            {%- do _upgrade_publications(publications) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{% macro _column_names(relation) %}
    {{- return(run_query('select * from ' ~ relation ~ ' limit 0').column_names) -}}
{% endmacro %}

{#
    A random id beside the markers, made once: a file that is put in the place of another, or the
    same name on another server, is another warehouse.
#}
{% macro _prepare_identity() %}
    {%- set identity = _identity_relation() -%}
    {%- do run_query('create table if not exists ' ~ identity ~ ' (warehouse_id varchar)') -%}
    {%- do run_query(
        'insert into ' ~ identity ~ ' select ' ~ _literal(invocation_id)
        ~ ' where not exists (select 1 from ' ~ identity ~ ')'
    ) -%}
{% endmacro %}

{# The id of the target's warehouse; none if it has none yet. #}
{% macro _warehouse_id() %}
    {%- set identity = _identity_relation() -%}
    {#- dbt's cache of a build is older than a table that the build has made. -#}
    {%- if flags.WHICH == 'run-operation' and load_relation(identity) is none -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set found = run_query('select warehouse_id from ' ~ identity).rows -%}
    {{- return(found[0][0] if found else none) -}}
{% endmacro %}

{% macro _identity_relation() %}
    {{- return(publications_relation().incorporate(path={'identifier': 'daybreak_warehouse'})) -}}
{% endmacro %}

{# The relation that a node publishes, within its database. #}
{% macro _relation_of(node) %}
    {{- return(node.schema ~ '.' ~ (node.alias or node.name)) -}}
{% endmacro %}
