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

{# The markers, to read: none where nothing has been published yet, and no table has been made. #}
{% macro _markers(database) %}
    {%- set publications = daybreak.publications_relation(database) -%}
    {%- if daybreak._is_there(publications) -%}
        {{- return(publications) -}}
    {%- endif -%}
    {%- set columns = [] -%}
    {%- for name, type in daybreak._columns_of_markers().items() -%}
        {%- do columns.append('cast(null as ' ~ type.split(' ')[0] ~ ') as ' ~ name) -%}
    {%- endfor -%}
    {{- return('(select ' ~ columns | join(', ') ~ ' limit 0)') -}}
{% endmacro %}
