{#
    `materialized: incremental` on DuckDB. A windowed model (strategy overwrite_window, or merge
    with an event_time) is replaced, judged and marked in one transaction; every other strategy
    is dbt-duckdb's own.
#}
{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- if strategy == 'overwrite_window' or (config.get('event_time') and strategy != 'microbatch') -%}
        {%- do validate_windowed_config() -%}
        {%- do refuse_sample() -%}
        {{- return(publish_window(strategy)) -}}
    {%- endif -%}
    {%- set kept = rehearse_when_empty() -%}
    {{- return(kept if kept else dbt.materialization_incremental_duckdb()) -}}
{%- endmaterialization %}

{% macro publish_window(strategy) %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set is_rehearsal = flags.EMPTY -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {# BEGIN happens here. #}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do begin_transaction() -%}

    {%- if is_rehearsal and existing -%}
        {%- do rehearse(target_relation) -%}
    {%- else -%}
        {%- do refuse_lower_fence() -%}
        {%- if existing is none or existing.is_view or should_full_refresh() -%}
            {%- do rebuild_table(existing, target_relation, strategy) -%}
        {%- else -%}
            {%- do adapt_schema(existing) -%}
            {%- do replace_window(target_relation, strategy) -%}
        {%- endif -%}
        {%- if not is_rehearsal -%}
            {%- do judge_gates(target_relation) -%}
            {%- do write_publications(target_relation) -%}
        {%- endif -%}
        {%- do persist_docs(target_relation, model) -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {# COMMIT happens here. #}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{- return({'relations': [target_relation]}) -}}
{% endmacro %}

{# dbt opens a transaction with the first statement that asks for one. #}
{% macro begin_transaction() %}
    {%- call statement('begin', auto_begin=True) -%} select 1 as begun {%- endcall -%}
{% endmacro %}

{# `--empty` on a table that exists: the query must run and fit, and nothing is written. #}
{% macro rehearse(target_relation) %}
    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(compiled_code) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        select * from ({{ compiled_code }}) as rehearsal limit 0
    {%- endcall -%}
{% endmacro %}

{# First build, or a full refresh whose window covers everything the table holds. #}
{% macro rebuild_table(existing, target_relation, strategy) %}
    {%- if existing is not none and not existing.is_view -%}
        {%- do refuse_narrow_refresh(existing) -%}
    {%- endif -%}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ create_table_as(False, target_relation, compiled_code) }}
    {%- endcall -%}
    {%- if strategy == 'merge' -%}
        {%- do validate_merge_keys(target_relation) -%}
    {%- endif -%}
    {%- do validate_rows_in_window(target_relation) -%}
    {%- do create_indexes(target_relation) -%}
{% endmacro %}

{# The contract, then the columns: before any row moves, because "delete, alter, insert" in one
   transaction fails at commit. #}
{% macro adapt_schema(existing) %}
    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(compiled_code) -%}
    {%- endif -%}
    {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='fail') -%}
    {%- if on_schema_change != 'ignore' -%}
        {%- set shape = make_temp_relation(existing, '__shape') -%}
        {%- do run_query(create_table_as(True, shape, 'select * from (' ~ compiled_code ~ ') as shape limit 0')) -%}
        {%- do process_schema_changes(on_schema_change, shape, existing) -%}
        {%- do run_query('drop table ' ~ shape) -%}
    {%- endif -%}
{% endmacro %}

{% macro replace_window(target_relation, strategy) %}
    {%- set columns = adapter.get_columns_in_relation(target_relation) | map(attribute='quoted') | list -%}
    {%- if strategy == 'merge' -%}
        {%- do merge_window(target_relation, columns) -%}
    {%- else -%}
        {%- do overwrite_window(target_relation, columns) -%}
    {%- endif -%}
{% endmacro %}
