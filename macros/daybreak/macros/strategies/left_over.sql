{#
    A merge never deletes. So where the code has changed since a window was published, rows that it no
    longer selects would stand there for ever, published as its own: they are refused, of all windows
    together. Rows whose keys are merged into another window now are taken over, and a model that is
    to keep what its source has dropped says `meta: {keeps_rows: true}`.
#}
{% macro _refuse_left_over(target_relation, new_rows, keys) %}
    {%- set other_codes = [] if (config.get('meta') or {}).get('keeps_rows')
        else daybreak._other_codes_of_window() -%}
    {%- if not other_codes -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set left_over = run_query(
        daybreak._left_over(target_relation, new_rows, keys, other_codes)
    ).rows -%}
    {%- if left_over -%}
        {%- set first = left_over[0] -%}
        {%- do daybreak._stop(
            first['row_count'] ~ ' rows of ' ~ model.name ~ ' stand in ' ~ first['window_key']
            ~ (' and ' ~ left_over[1:] | sum(attribute='row_count') ~ ' in other windows'
                if left_over | length > 1 else '')
            ~ ' that its changed code no longer selects, and a merge never deletes: '
            ~ daybreak._how_to_rebuild() ~ '; if they are to stay, it says meta: {keeps_rows: true}'
        ) -%}
    {%- endif -%}
{% endmacro %}

{#
    The hashes of code, other than the model's as it is, by which this window was published. The runner
    and a plain build hash code each in their own way: a marker is compared with the like.
#}
{% macro _other_codes_of_window() %}
    {%- set ours = daybreak._code_of_rows() if var('run_id', none) is not none else none -%}
    {%- set standing = run_query(
        'select distinct code_hash from ' ~ daybreak.publications_relation(model.database)
        ~ ' where code_hash is not null and ' ~ daybreak._markers_of_window(model)
    ) -%}
    {%- set other_codes = [] -%}
    {%- for row in standing.rows -%}
        {%- set code_hash = row['code_hash'] -%}
        {%- set current = daybreak._plain_code() if code_hash.startswith('plain:') else ours -%}
        {%- if current is not none and code_hash != current -%}
            {%- do other_codes.append(daybreak._literal(code_hash)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(other_codes) -}}
{% endmacro %}

{# How many rows of which window stand there and are not among the new ones. #}
{% macro _left_over(target_relation, new_rows, keys, other_codes) %}
    select
        cast(t.daybreak_window_key as varchar) as window_key,
        count(*) as row_count
    from (
        select {{ keys | join(', ') }}, {{ daybreak._window_key_of(model) }} as daybreak_window_key
        from {{ target_relation }}
        where {{ daybreak._in_window_of(model) }}
    ) as t
    inner join (
        select {{ daybreak._window_key_of_marker(model) }} as window_key
        from {{ daybreak.publications_relation(model.database) }}
        where {{ daybreak._markers_of_window(model) }} and code_hash in ({{ other_codes | join(', ') }})
    ) as markers on t.daybreak_window_key = markers.window_key
    left join {{ new_rows }} as s on {{ daybreak._on_keys(keys, 't', 's') }}
    where s.{{ keys[0] }} is null
    group by t.daybreak_window_key
    order by t.daybreak_window_key
{% endmacro %}
