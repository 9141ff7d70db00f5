{#
    `materialized: incremental` on DuckDB. A windowed model (strategy overwrite_window, or merge
    with an event_time) is replaced, judged and marked in one transaction; every other strategy
    is dbt-duckdb's own.
#}
{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- set is_windowed = strategy == 'overwrite_window'
        or (config.get('event_time') and strategy != 'microbatch') -%}
    {%- if is_windowed -%}
        {%- do _validate_windowed_config() -%}
    {%- endif -%}
    {%- set kept = _rehearse_when_empty() -%}
    {%- if kept -%}
        {{- return(kept) -}}
    {%- endif -%}
    {{- return(_publish_window() if is_windowed else dbt.materialization_incremental_duckdb()) -}}
{%- endmaterialization %}
