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

{# The query must run and fit the contract, and nothing is written. #}
{% macro _rehearse_when_empty() %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if not flags.EMPTY or existing is none -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- if model.language == 'python' -%}
        {%- call noop_statement('main', 'KEPT') -%} {%- endcall -%}
    {%- else -%}
        {%- if (config.get('contract') or {}).enforced -%}
            {%- do get_assert_columns_equivalent(compiled_code) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            select * from {{ _subquery(compiled_code, 'rehearsal') }} limit 0
        {%- endcall -%}
    {%- endif -%}
    {{- return({'relations': [existing]}) -}}
{% endmacro %}
