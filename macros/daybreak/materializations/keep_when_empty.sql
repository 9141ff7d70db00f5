{#
    `dbt build --empty` validates: it must never replace published rows by none. Where a relation
    exists already, its query is rehearsed and it is left as it is. Hooks are not run: a hook may
    delete. (Seeds are not concerned: dbt loads them whole.)
#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set kept = _rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_table_duckdb()) -}}
{%- endmaterialization %}

{% materialization view, adapter='duckdb' -%}
    {%- set kept = _rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_view_default()) -}}
{%- endmaterialization %}

{% materialization snapshot, adapter='duckdb' -%}
    {%- set kept = _rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_snapshot_default()) -}}
{%- endmaterialization %}

{% materialization external, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set kept = _rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_external_duckdb()) -}}
{%- endmaterialization %}
