{# One row per window of this invocation: window_key (what `window_key` gives a row), and the
   window's bounds as naive UTC timestamps. #}
{% macro window_spine(grain) %}
    {{- return(adapter.dispatch('window_spine', 'daybreak')(grain)) -}}
{% endmacro %}

{% macro default__window_spine(grain) %}
    {%- set bounds = window_bounds() -%}
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
        select * from (
            select
                cast(starts.opens as date) as window_key,
                {{ _first_instant_of('starts.opens') }} as window_start,
                {{ _first_instant_of("(starts.opens + interval '1 " ~ grain ~ "')") }} as window_end
            from generate_series(
                cast('{{ bounds.local_start }}' as timestamp),
                cast('{{ bounds.local_end }}' as timestamp) - interval '1 day',
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

{# The window_key of a row whose event time is `column`, of the kinds that in_window takes. #}
{% macro window_key(column, as, grain) %}
    {{- return(adapter.dispatch('window_key', 'daybreak')(column, as, grain)) -}}
{% endmacro %}

{% macro default__window_key(column, as, grain) %}
    {%- if as == 'date' -%}
        {{- return(column if grain == 'day' else "cast(date_trunc('" ~ grain ~ "', " ~ column ~ ') as date)') -}}
    {%- endif -%}
    {%- set utc = {
        'utc': column,
        'instant': '(' ~ column ~ " at time zone 'UTC')",
        'local': local_to_utc(column),
    }[as] -%}
    {%- set local = column if as == 'local' else utc_to_local(utc) -%}
    {%- if grain == 'hour' -%}
        {{- return('(' ~ utc ~ ' - (' ~ local ~ " - date_trunc('hour', " ~ local ~ ')))') -}}
    {%- endif -%}
    {{- return("cast(date_trunc('" ~ grain ~ "', " ~ local ~ ') as date)') -}}
{% endmacro %}
