{# Build a windowed model: what its materialization returns. #}
{% macro _build_windows() %}
    {%- do daybreak._validate_windowed_config() -%}
    {{- return(daybreak._rehearse_when_empty() or daybreak._publish_window()) -}}
{% endmacro %}

{# Replace, judge and mark the window: from begin to commit one transaction. #}
{% macro _publish_window() %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {%- if var('run_id', none) is none -%}
        {%- do daybreak._ensure_publications() -%}
    {%- endif -%}
    {%- do daybreak._pin_zone() -%}
    {%- do daybreak._begin_transaction() -%}
    {%- do daybreak._run_hooks_inside(pre_hooks) -%}

    {%- do daybreak._refuse_lower_fence() -%}
    {%- set standing = daybreak._keep_standing_contents(existing) -%}
    {%- set touched = [] -%}
    {%- if existing is none or existing.is_view or should_full_refresh() -%}
        {%- do daybreak._rebuild_table(existing, target_relation) -%}
    {%- else -%}
        {%- do touched.extend(daybreak._replace_window(existing, target_relation)) -%}
    {%- endif -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do daybreak._run_hooks_inside(post_hooks) -%}

    {#- After the hooks: what is judged and counted is what is committed. -#}
    {%- if not flags.EMPTY -%}
        {%- do daybreak._tell_warnings(daybreak._judge_gates(target_relation, standing)) -%}
        {%- set is_new = existing is none or existing.is_view -%}
        {%- do daybreak._write_publications(target_relation, standing, is_new) -%}
        {%- do daybreak._rewrite_touched(target_relation, touched) -%}
    {%- endif -%}
    {%- do adapter.commit() -%}
    {{- return({'relations': [target_relation]}) -}}
{% endmacro %}

{# dbt opens a transaction with the first statement that asks for one. #}
{% macro _begin_transaction() %}
    {%- if adapter.disable_transactions() -%}
        {%- do daybreak._stop(
            model.name ~ ' is replaced and judged in one transaction: take disable_transactions'
            ~ ' out of profiles.yml'
        ) -%}
    {%- endif -%}
    {%- call statement('begin', auto_begin=True) -%} select 1 as begun {%- endcall -%}
{% endmacro %}

{# First build, or a full refresh whose window covers everything the table holds. #}
{% macro _rebuild_table(existing, target_relation) %}
    {%- if existing is not none and not existing.is_view -%}
        {%- do daybreak._refuse_narrow_refresh(existing) -%}
    {%- endif -%}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- set no_rows = daybreak._no_rows_of(compiled_code) -%}
    {%- set rows = no_rows if flags.EMPTY else daybreak._selected_rows() -%}
    {%- call statement('main') -%}
        {{ create_table_as(False, target_relation, rows) }}
    {%- endcall -%}
    {%- do daybreak._refuse_other_event_time(
        adapter.get_columns_in_relation(target_relation)
    ) -%}
    {%- if config.get('incremental_strategy') == 'merge' -%}
        {%- do daybreak._refuse_bad_merge_keys(target_relation) -%}
    {%- endif -%}
    {%- do daybreak._refuse_rows_outside_window(target_relation) -%}
    {%- do create_indexes(target_relation) -%}
{% endmacro %}

{# Returns the keys of the other windows whose rows it has changed. #}
{% macro _replace_window(existing, target_relation) %}
    {%- if config.get('sql_header') -%}
        {%- do run_query(config.get('sql_header')) -%}
    {%- endif -%}
    {%- set columns = daybreak._adapt_schema(existing) -%}
    {%- do daybreak._refuse_other_event_time(
        adapter.get_columns_in_relation(target_relation)
    ) -%}
    {%- if config.get('incremental_strategy') == 'merge' -%}
        {{- return(daybreak.merge_window(target_relation, columns)) -}}
    {%- endif -%}
    {%- do daybreak.overwrite_window(target_relation, columns) -%}
    {{- return([]) -}}
{% endmacro %}

{% macro _no_rows_of(sql) %}
    {{- return('select * from ' ~ daybreak._subquery(sql, 'no_rows') ~ ' limit 0') -}}
{% endmacro %}
