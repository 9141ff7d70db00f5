{#
    `materialized: incremental` on DuckDB, for the root project: dbt takes one of its own
    materializations from no package. A model that asks for windows is replaced, judged and marked in one
    transaction; every other is dbt-duckdb's own.
#}
{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- if daybreak._is_built_by_windows() -%}
        {{- return(daybreak._build_windows()) -}}
    {%- endif -%}
    {#- Not as a call of its own: dbt runs a Python model only right beneath its materialization. -#}
    {{- return(dbt.materialization_incremental_duckdb.call_macro()) -}}
{%- endmaterialization %}
