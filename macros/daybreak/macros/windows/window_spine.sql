{% macro window_spine(grain) %}
    {%- if grain not in ['hour', 'day', 'week', 'month', 'year'] -%}
        {%- do daybreak._stop(
            "window_spine has no grain '" ~ grain ~ "': use 'hour', 'day', 'week', 'month' or 'year'"
        ) -%}
    {%- endif -%}
    {{- return(adapter.dispatch('window_spine', 'daybreak')(grain)) -}}
{% endmacro %}

{% macro default__window_spine(grain) %}
    {%- if daybreak._is_symbolic() -%}
        {%- set spine = daybreak._symbol_in_zone('window_spine', daybreak._literal(grain)) -%}
        {{- return('select * from ' ~ spine) -}}
    {%- endif -%}
    {%- set bounds = daybreak._window_bounds() -%}
    {%- if grain == 'hour' and daybreak._has_odd_shifts() %}
        {#- An hour in which the clock shifts by half of one lasts 90 minutes. #}
        {%- set local = daybreak.utc_to_local('starts.opens') %}
        select
            opens as window_key,
            opens as window_start,
            lead(opens, 1, cast('{{ bounds.utc_end }}' as timestamp)) over (order by opens)
                as window_end
        from (
            select distinct {{ daybreak._hour_of('starts.opens', local) }} as opens
            from generate_series(
                cast('{{ bounds.utc_start }}' as timestamp),
                cast('{{ bounds.utc_end }}' as timestamp) - interval '30 minutes',
                interval '30 minutes'
            ) as starts(opens)
        ) as hours
    {%- elif grain == 'hour' %}
        select
            starts.opens as window_key,
            starts.opens as window_start,
            starts.opens + interval '1 hour' as window_end
        from generate_series(
            cast('{{ bounds.utc_start }}' as timestamp),
            cast('{{ bounds.utc_end }}' as timestamp) - interval '1 hour',
            interval '1 hour'
        ) as starts(opens)
    {%- else %}
        {%- set dates = daybreak._window_dates(bounds) %}
        select * from (
            select
                cast(starts.opens as date) as window_key,
                {{ daybreak._first_instant_of('starts.opens') }} as window_start,
                {{ daybreak._first_instant_of("(starts.opens + interval '1 " ~ grain ~ "')") }}
                    as window_end
            from generate_series(
                cast('{{ dates.start }}' as timestamp),
                cast('{{ dates.end }}' as timestamp) - interval '1 day',
                interval '1 {{ grain }}'
            ) as starts(opens)
        ) as windows
        where window_start < window_end
    {%- endif -%}
{% endmacro %}

{# A midnight that happens twice begins the day the first time; databases answer the second. #}
{% macro _first_instant_of(local_midnight) %}
    {%- set instant = daybreak.local_to_utc(local_midnight) -%}
    {%- set hour_before = '(' ~ instant ~ " - interval '1 hour')" -%}
    case
        when {{ daybreak.utc_to_local(hour_before) }} >= {{ local_midnight }} then {{ hour_before }}
        else {{ instant }}
    end
{%- endmacro %}
