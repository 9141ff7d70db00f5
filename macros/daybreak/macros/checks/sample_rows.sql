{#
    An aggregate for the column `sample` of a check: up to five of the rows of `relation`, a name
    of the query's from clause, as a JSON list of objects; the same ones at every run.
#}
{% macro sample_rows(relation) %}
    {{- return(adapter.dispatch('sample_rows', 'daybreak')(relation)) -}}
{% endmacro %}

{% macro default__sample_rows(relation) %}
    {{- return('cast(to_json(min(to_json(' ~ relation ~ '), 5)) as varchar)') -}}
{% endmacro %}
