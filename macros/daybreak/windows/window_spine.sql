{% macro window_spine(grain) %}
    {%- if grain not in ['hour', 'day', 'week', 'month'] -%}
        {%- do _stop(
            "window_spine has no grain '" ~ grain ~ "': use 'hour', 'day', 'week' or 'month'"
        ) -%}
    {%- endif -%}
    {{- return(adapter.dispatch('window_spine', 'daybreak')(grain)) -}}
{% endmacro %}

{% macro default__window_spine(grain) %}
    {%- if _is_symbolic() -%}
        {%- set spine = _symbol('window_spine', _literal(grain), _literal(var('timezone'))) -%}
        {{- return('select * from ' ~ spine) -}}
    {%- endif -%}
    {%- set bounds = _window_bounds() -%}
    {%- if grain == 'hour' %}
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
        {%- set dates = _window_dates(bounds) %}
        select * from (
            select
                cast(starts.opens as date) as window_key,
                {{ _first_instant_of('starts.opens') }} as window_start,
                {{ _first_instant_of("(starts.opens + interval '1 " ~ grain ~ "')") }} as window_end
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
    {%- set instant = local_to_utc(local_midnight) -%}
    {%- set hour_before = '(' ~ instant ~ " - interval '1 hour')" -%}
    case
        when {{ utc_to_local(hour_before) }} >= {{ local_midnight }} then {{ hour_before }}
        else {{ instant }}
    end
{%- endmacro %}
