{% test null_rate_within(
    model, column_name=none, columns=none, allowance=0.05, history=8, min_history=4, recent=7
) %}
    {%- if execute -%}
        {%- do daybreak._require_windowed('null_rate_within') -%}
        {%- do daybreak._refuse_where('null_rate_within') -%}
        {%- set named = columns or ([column_name] if column_name else []) -%}
        {%- if not named -%}
            {%- do daybreak._stop(
                'null_rate_within does not know its columns: put it on a column, or name them,'
                ~ ' columns: [customer_id, amount]'
            ) -%}
        {%- endif -%}
        {%- set dispatched = adapter.dispatch('test_null_rate_within', 'daybreak') -%}
        {{- daybreak._unless_empty(dispatched(
            model, named, allowance, history, min_history, recent
        )) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_null_rate_within(
    model, columns, allowance, history, min_history, recent
) %}
    {%- set judged = daybreak._judged_node() -%}
    {%- set key_of_row = daybreak._window_key_of(judged) %}
    with recent_windows as ({{ daybreak._recent_windows(judged.config.batch_size, recent) }}),

    actual as (
        select
            {{ key_of_row }} as window_key,
            {{ daybreak._null_shares(columns) }}
        from {{ model }}
        group by 1
    ),

    verified as ({{ daybreak._verified_windows(judged, history) }}),

    verified_shares as (
        select
            {{ key_of_row }} as verified_key,
            {{ daybreak._null_shares(columns) }}
        from {{ judged.relation_name }}
        where {{ key_of_row }} in (select verified_key from verified)
        group by 1
    ),

    usual as (
        select
            verified.window_key,
            count(*) as window_count
            {%- for column in columns %},
            percentile_cont(0.5) within group (
                order by verified_shares.{{ daybreak._of_column('share', column) }}
            ) as {{ daybreak._of_column('usual', column) }}
            {%- endfor %}
        from verified
        inner join verified_shares on verified.verified_key = verified_shares.verified_key
        group by 1
        having count(*) >= {{ min_history | int }}
    ),

    compared as (
        select
            recent_windows.window_start,
            recent_windows.window_end,
            usual.*,
            {% for column in columns -%}
                actual.{{ daybreak._of_column('share', column) }},
                actual.{{ daybreak._of_column('share', column) }}
                > usual.{{ daybreak._of_column('usual', column) }} + {{ allowance }}
                    as {{ daybreak._of_column('differs', column) }}{{ ',' if not loop.last }}
            {% endfor %}
        from recent_windows
        inner join actual on recent_windows.window_key = actual.window_key
        inner join usual on recent_windows.window_key = usual.window_key
    )

    select
        window_start,
        window_end,
        concat_ws(', '
            {%- for column in columns -%}
                , case when {{ daybreak._of_column('differs', column) }}
                then {{ daybreak._literal(column ~ ' ') }} || {{
                    daybreak._as_percent(daybreak._of_column('usual', column) ~ ' + ' ~ allowance)
                }} end
            {%- endfor -%}
        ) || ' NULL at most, by the ' || window_count || ' verified windows before it' as expected,
        concat_ws(', '
            {%- for column in columns -%}
                , case when {{ daybreak._of_column('differs', column) }}
                then {{ daybreak._literal(column ~ ' ') }} || {{
                    daybreak._as_percent(daybreak._of_column('share', column))
                }} end
            {%- endfor -%}
        ) || ' NULL' as actual
    from compared
    where
        {% for column in columns -%}
            {{ 'or ' if not loop.first }}{{ daybreak._of_column('differs', column) }}
        {% endfor %}
{% endmacro %}

{# For each column the share of its rows that are NULL. #}
{% macro _null_shares(columns) %}
    {%- set shares = [] -%}
    {%- for column in columns -%}
        {%- set quoted = column if column.startswith('"') else adapter.quote(column) -%}
        {%- do shares.append(
            '1 - count(' ~ quoted ~ ') * 1.0 / count(*) as ' ~ daybreak._of_column('share', column)
        ) -%}
    {%- endfor -%}
    {{- return(shares | join(', ')) -}}
{% endmacro %}

{% macro _of_column(what, column) %}
    {{- return(adapter.quote(what ~ '_' ~ column | replace('"', ''))) -}}
{% endmacro %}

{# "12.5%": a share as a person reads it. #}
{% macro _as_percent(share) %}
    {{- return('round(least(' ~ share ~ ", 1) * 100, 1) || '%'") -}}
{% endmacro %}
