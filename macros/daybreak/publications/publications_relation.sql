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
