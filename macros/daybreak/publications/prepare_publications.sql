{#
    Created before the run because, created inside the models' transactions, it conflicts; in
    every database that holds a windowed model, as a transaction writes one database only.
#}
{% macro prepare_publications() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'test', 'run-operation'] -%}
        {%- set used = _windowed_models() | map(attribute='database') | list -%}
        {%- for database in ([target.database] + used) | unique -%}
            {%- set publications = publications_relation(database) -%}
            {%- do adapter.create_schema(publications.without_identifier()) -%}
            {%- do run_query(_create_publications(publications)) -%}
        {%- endfor -%}
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
        judged_at timestamp
    )
{% endmacro %}
