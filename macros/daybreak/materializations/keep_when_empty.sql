{#
    `dbt build --empty` validates: it must never replace published rows by none. Where a relation
    exists already, tables and views are rehearsed and left as they are.
#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set kept = rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_table_duckdb()) -}}
{%- endmaterialization %}

{% materialization view, adapter='duckdb' -%}
    {%- set kept = rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_view_default()) -}}
{%- endmaterialization %}

{% materialization snapshot, adapter='duckdb' -%}
    {%- set kept = rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_snapshot_default()) -}}
{%- endmaterialization %}

{% macro rehearse_when_empty() %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if not flags.EMPTY or existing is none -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- do rehearse(existing) -%}
    {{- return({'relations': [existing]}) -}}
{% endmacro %}
