{#
    Replace the markers of this window by new ones, with the rows that each window now holds.
    A plain build has no fence; it keeps the highest, or it would let a run that lost its lease
    publish again.
#}
{% macro _write_publications(relation) %}
    {%- set publications = publications_relation(model.database) -%}
    {%- set code_hash = (var('code_hashes', none) or {}).get(model.name) -%}
    {%- set fence = [var('fence', none) or 0, _highest_fence() or 0] | map('int') | max -%}
    {%- set verdict = _verdict_at_once() -%}
    {%- do run_query('delete from ' ~ publications ~ ' where ' ~ _markers_of_window(model)) -%}
    {%- call statement('publish') -%}
        insert into {{ publications }} (
            model, window_start, window_end, run_id, fence, code_hash, row_count, published_at,
            verdict, judged_at
        )
        with windows as ({{ window_spine(config.get('batch_size')) }}),

        counted as (
            select
                {{ _window_key_of(model) }} as window_key,
                count(*) as row_count
            from {{ relation }}
            where {{ _in_window_of(model) }}
            group by 1
        )

        select
            {{ _literal(model.name) }},
            windows.window_start,
            windows.window_end,
            {{ _literal(var('run_id', none)) }},
            {{ fence }},
            {{ _literal(code_hash) }},
            coalesce(counted.row_count, 0),
            {{ _this_invocation() }},
            {{ _literal(verdict) }},
            {{ _this_invocation() if verdict else 'null' }}
        from windows
        left join counted on windows.window_key = counted.window_key
    {%- endcall -%}
{% endmacro %}

{#
    If no test comes later, the gates have had the last word, and it is written in the transaction
    that publishes: a crash after it leaves nothing unjudged. What a plain build publishes stays
    unverified.
#}
{% macro _verdict_at_once() %}
    {%- if var('run_id', none) is none or _later_tests_of(model) -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return('correct' if _gates_of(model) else 'unchecked') -}}
{% endmacro %}

{# A worker that lost its lease must not publish over the one that took it. #}
{% macro _refuse_lower_fence() %}
    {%- if var('fence', none) is not none -%}
        {%- set highest = _highest_fence() -%}
        {%- if highest is not none and highest > var('fence') | int -%}
            {%- do _stop(
                'a newer run (fence ' ~ highest ~ ') has published a window of ' ~ model.name
                ~ ' that this one (fence ' ~ var('fence') ~ ') still held: nothing to do, it was'
                ~ ' done'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro _highest_fence() %}
    {{- return(run_query(
        'select max(fence) from ' ~ publications_relation(model.database)
        ~ ' where ' ~ _markers_of_window(model)
    ).rows[0][0]) -}}
{% endmacro %}

{# The predicate for a model's markers that touch the window of this invocation. #}
{% macro _markers_of_window(node) %}
    {{- return(_is_of(node) ~ ' and ' ~ _touches_window()) -}}
{% endmacro %}

{% macro _is_of(node) %}
    {{- return('model = ' ~ _literal(node.name)) -}}
{% endmacro %}

{% macro _touches_window() %}
    {%- set bounds = _bounds_as('utc') -%}
    {{- return('(window_start < ' ~ bounds.end ~ ' and window_end > ' ~ bounds.start ~ ')') -}}
{% endmacro %}

{# A window that lies inside as a whole: tests have not seen all of one that is cut. #}
{% macro _inside_window() %}
    {%- set bounds = _bounds_as('utc') -%}
    {{- return('(window_start >= ' ~ bounds.start ~ ' and window_end <= ' ~ bounds.end ~ ')') -}}
{% endmacro %}

{# When this invocation began, naive UTC: the same in every marker that it writes or judges, and
   in no marker of another. #}
{% macro _this_invocation() %}
    {{- return(
        "cast('" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') ~ "' as timestamp)"
    ) -}}
{% endmacro %}

{% macro _literal(value) %}
    {{- return('null' if value is none else "'" ~ (value | string | replace("'", "''")) ~ "'") -}}
{% endmacro %}
