{#
    A unique_key says that no two rows of the table have it. Of the rows that a window has been
    overwritten with, as evidence like that of a gate, a row per bad window: keys that are NULL, that
    several rows share, or that rows of other windows have, which stay. Only the new rows' keys are
    looked for. A merge sees to its keys itself.
#}
{% macro _key_evidence(relation) %}
    {%- if config.get('incremental_strategy') == 'merge' or not config.get('unique_key') -%}
        {{- return([]) -}}
    {%- endif -%}
    {%- set keys = daybreak._unique_keys() -%}
    {%- set window_key = daybreak._window_key_of(model) ~ ' as daybreak_window_key' -%}
    {#- A table, because its size is known: else the whole table is hashed to look for a day. -#}
    {%- set new_keys = make_temp_relation(relation, '__new_keys') -%}
    {%- do run_query(
        'create temporary table ' ~ new_keys ~ ' as select ' ~ keys | join(', ') ~ ', ' ~ window_key
        ~ ' from ' ~ relation ~ ' where ' ~ daybreak._in_window_of(model)
    ) -%}
    {%- set bad = daybreak._bad_keys(relation, new_keys, keys, window_key) -%}
    {%- set evidence = daybreak._evidence_of_model('unique_key', bad) -%}
    {%- do run_query('drop table ' ~ new_keys) -%}
    {{- return(evidence) -}}
{% endmacro %}

{# The columns of unique_key, quoted. #}
{% macro _unique_keys() %}
    {%- set unique_key = config.get('unique_key') -%}
    {%- set quoted = [] -%}
    {%- for key in ([unique_key] if unique_key is string else unique_key) -%}
        {%- do quoted.append(daybreak._quoted(key)) -%}
    {%- endfor -%}
    {{- return(quoted) -}}
{% endmacro %}

{# The condition that two relations, by these aliases, have the same key. #}
{% macro _on_keys(keys, left, right) %}
    {%- set equal = [] -%}
    {%- for key in keys -%}
        {%- do equal.append(left ~ '.' ~ key ~ ' = ' ~ right ~ '.' ~ key) -%}
    {%- endfor -%}
    {{- return(equal | join(' and ')) -}}
{% endmacro %}

{% macro _bad_keys(relation, new_keys, keys, window_key) %}
    {%- set columns = keys | join(', ') -%}
    {%- set in_words = [] -%}
    {%- for key in keys -%}
        {%- do in_words.append(
            daybreak._literal(key | replace('"', '') ~ ' ')
            ~ ' || cast(mine.' ~ key ~ ' as varchar)'
        ) -%}
    {%- endfor -%}
    {%- set label = in_words | join(" || ', ' || ") %}
    with repeated as (
        select {{ columns }} from {{ new_keys }} group by {{ columns }} having count(*) > 1
    ),

    found as (
        select
            daybreak_window_key,
            1 as place,
            count(*) || ' rows have a NULL in it' as what
        from {{ new_keys }} as mine
        where {{ keys | join(' is null or ') }} is null
        group by daybreak_window_key

        union all

        select
            mine.daybreak_window_key,
            2 as place,
            count(*) || ' rows share one, such as ' || min({{ label }}) as what
        from {{ new_keys }} as mine
        inner join repeated on {{ daybreak._on_keys(keys, 'mine', 'repeated') }}
        group by mine.daybreak_window_key

        union all

        select
            mine.daybreak_window_key,
            3 as place,
            count(*) || ' rows of other windows have one too, such as '
            || min({{ label }} || ' in ' || cast(others.daybreak_window_key as varchar))
            || ': run these windows in one chunk, or use merge' as what
        from {{ new_keys }} as mine
        inner join (
            select {{ columns }}, {{ window_key }}
            from {{ relation }}
            where not {{ daybreak._in_window_of(model) }}
        ) as others on {{ daybreak._on_keys(keys, 'mine', 'others') }}
        group by mine.daybreak_window_key
    )

    select
        cast(windows.window_start as varchar) as window_start,
        cast(windows.window_end as varchar) as window_end,
        {{ daybreak._literal('each unique_key (' ~ columns | replace('"', '') ~ ') once') }}
            as expected,
        string_agg(found.what, '; ' order by found.place) as actual
    from found
    inner join ({{ daybreak.window_spine(config.get('batch_size')) }}) as windows
        on found.daybreak_window_key = windows.window_key
    group by windows.window_start, windows.window_end
    order by windows.window_start
{% endmacro %}
