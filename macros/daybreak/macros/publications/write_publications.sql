{#
    Replace the markers of this window by new ones, with the rows that each window now holds.
    A plain build has no fence; it keeps the highest, or it would let a run that lost its lease
    publish again. `standing` holds what the windows held before; none if nothing did.
#}
{% macro _write_publications(relation, standing, is_new) %}
    {%- set publications = daybreak.publications_relation(model.database) -%}
    {%- set code_hash = daybreak._code_of_rows() -%}
    {%- set fence = [var('fence', none) or 0, daybreak._highest_fence() or 0] | map('int') | max -%}
    {%- set verdict = daybreak._verdict_at_once() -%}
    {%- call statement('publish') -%}
        insert into {{ publications }} (
            model, unique_id, relation, window_start, window_end, run_id, fence, code_hash,
            row_count, contents, contents_since, published_at, verdict, judged_at, checks_hash
        )
        with windows as ({{ daybreak.window_spine(config.get('batch_size')) }}),

        found as (
            {{ daybreak._contents_by_window(model, relation, daybreak._in_window_of(model)) }}
        ),

        replaced as (
            select window_start, window_end, contents, contents_since
            from {{ publications }}
            where {{ daybreak._markers_of_window(model) if standing else 'false' }}
        )

        select
            {{ daybreak._literal(model.name) }},
            {{ daybreak._literal(model.unique_id) }},
            {{ daybreak._literal(daybreak._relation_of(model)) }},
            windows.window_start,
            windows.window_end,
            {{ daybreak._literal(var('run_id', none)) }},
            {{ fence }},
            {{ daybreak._literal(code_hash) }},
            coalesce(found.row_count, 0),
            coalesce(found.contents, {{ daybreak._no_contents() }}),
            coalesce(replaced.contents_since, {{ daybreak._this_invocation() }}),
            {{ daybreak._this_invocation() }},
            {{ daybreak._literal(verdict) }},
            {{ daybreak._this_invocation() if verdict else 'null' }},
            {{ daybreak._checks_hash_of(model) if verdict else 'null' }}
        from windows
        left join found on windows.window_key = found.window_key
        {%- if standing %}
            left join {{ standing }} as standing on windows.window_key = standing.window_key
        {%- endif %}
        -- The same rows again are as old as they were: who has read them need not read them again.
        left join replaced
            on windows.window_start = replaced.window_start
            and windows.window_end = replaced.window_end
            and replaced.contents = coalesce(found.contents, {{ daybreak._no_contents() }})
            {%- if standing %}
                and replaced.contents
                = coalesce(standing.contents, {{ daybreak._no_contents() }})
            {%- endif %}
    {%- endcall -%}
    {#- Where there was no table, no window of it stands: its other markers are void. -#}
    {%- do run_query(
        'delete from ' ~ publications ~ ' where published_at <> ' ~ daybreak._this_invocation()
        ~ ' and ' ~ (daybreak._is_of(model) if is_new else daybreak._markers_of_window(model))
    ) -%}
    {%- if standing -%}
        {%- do run_query('drop table ' ~ standing) -%}
    {%- endif -%}
{% endmacro %}

{#
    If no test comes later, the gates have had the last word, and it is written in the transaction
    that publishes: a crash after it leaves nothing unjudged. What a plain build publishes stays
    unverified.
#}
{% macro _verdict_at_once() %}
    {%- if var('run_id', none) is none or daybreak._later_tests_of(model) -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return('correct' if daybreak._gates_of(model) else 'unchecked') -}}
{% endmacro %}

{# The hash of a model's checks, as the runner says it, as SQL. #}
{% macro _checks_hash_of(node) %}
    {{- return(daybreak._literal((var('checks_hashes', none) or {}).get(node.unique_id))) -}}
{% endmacro %}

{# A worker that lost its lease must not publish over the one that took it. #}
{% macro _refuse_lower_fence() %}
    {%- if var('fence', none) is not none -%}
        {%- set highest = daybreak._highest_fence() -%}
        {%- if highest is not none and highest > var('fence') | int -%}
            {%- do daybreak._stop(
                'a newer run (fence ' ~ highest ~ ') has published a window of ' ~ model.name
                ~ ' that this one (fence ' ~ var('fence') ~ ') still held: nothing to do, it was'
                ~ ' done'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro _highest_fence() %}
    {{- return(run_query(
        'select max(fence) from ' ~ daybreak.publications_relation(model.database)
        ~ ' where ' ~ daybreak._markers_of_window(model)
    ).rows[0][0]) -}}
{% endmacro %}

{#
    The windows of a relation that have rows, with how many and a digest of them that depends on
    no order: a sum, as under exclusive or equal rows would cancel. Columns that `meta: {volatile:
    […]}` names are left out.
#}
{% macro _contents_by_window(node, relation, condition) %}
    {%- set columns = daybreak._lasting_columns(node, relation) %}
    select
        {{ daybreak._window_key_of(node) }} as window_key,
        count(*) as row_count,
        {{ adapter.dispatch('digest_of_rows', 'daybreak')(columns) }} as contents
    from {{ relation }}
    where {{ condition }}
    group by 1
{% endmacro %}

{% macro _lasting_columns(node, relation) %}
    {%- set volatile = daybreak._volatile_columns(node) -%}
    {%- set lasting = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation)
        if column.name | lower not in volatile -%}
        {%- do lasting.append(column.quoted) -%}
    {%- endfor -%}
    {{- return(lasting) -}}
{% endmacro %}

{# Names of columns that are meant to differ, in small letters. #}
{% macro _volatile_columns(node) %}
    {#- dbt keeps meta in the config since 1.10, and beside it before. -#}
    {%- set named = (node.config.get('meta') or {}).get('volatile')
        or (node.get('meta') or {}).get('volatile') or [] -%}
    {{- return(([named] if named is string else named) | map('lower') | list) -}}
{% endmacro %}

{% macro duckdb__digest_of_rows(columns) %}
    {{- return(daybreak._engine() ~ ' || sum(hash(' ~ columns | join(', ') ~ '))') -}}
{% endmacro %}

{# What a digest begins with: other versions may hash otherwise, so digests say whose they are. #}
{% macro _engine() %}
    {{- return("'duckdb ' || regexp_extract(version(), '[0-9]+\\.[0-9]+') || ' '") -}}
{% endmacro %}

{% macro _no_contents() %}
    {{- return("'no rows'") -}}
{% endmacro %}

{# The predicate for a model's markers that touch the window of this invocation. #}
{% macro _markers_of_window(node) %}
    {{- return(daybreak._is_of(node) ~ ' and ' ~ daybreak._touches_window()) -}}
{% endmacro %}

{% macro _is_of(node) %}
    {{- return(
        '(unique_id = ' ~ daybreak._literal(node.unique_id) ~ ' and relation = '
        ~ daybreak._literal(daybreak._relation_of(node)) ~ ')'
    ) -}}
{% endmacro %}

{% macro _touches_window() %}
    {%- set bounds = daybreak._bounds_as('utc') -%}
    {{- return('(window_start < ' ~ bounds.end ~ ' and window_end > ' ~ bounds.start ~ ')') -}}
{% endmacro %}

{# A window that lies inside as a whole: tests have not seen all of one that is cut. #}
{% macro _inside_window() %}
    {%- set bounds = daybreak._bounds_as('utc') -%}
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
