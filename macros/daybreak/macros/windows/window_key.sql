{% macro window_key(column, as, grain) %}
    {{- return(adapter.dispatch('window_key', 'daybreak')(column, as, grain)) -}}
{% endmacro %}

{% macro default__window_key(column, as, grain) %}
    {%- if daybreak._is_symbolic() -%}
        {{- return(daybreak._symbol_in_zone(
            'window_key', column, daybreak._literal(as), daybreak._literal(grain)
        )) -}}
    {%- endif -%}
    {%- if as == 'date' and grain == 'hour' -%}
        {%- do daybreak._stop(
            'the date ' ~ column ~ " does not say its hour: use a timestamp, as 'utc', 'local' or"
            ~ " 'instant', or windows of a day"
        ) -%}
    {%- elif as == 'date' -%}
        {#- Cast, or a timestamp that was taken for a date would join nothing and be missed. -#}
        {%- set day = 'cast(' ~ column ~ ' as date)' -%}
        {{- return(day if grain == 'day' else daybreak._date_trunc(grain, column)) -}}
    {%- endif -%}
    {%- set utc = {
        'utc': column,
        'instant': '(' ~ column ~ " at time zone 'UTC')",
        'local': daybreak.local_to_utc(column),
        'batch': 'make_timestamp(epoch_us(' ~ column ~ '))',
    }.get(as) -%}
    {%- if utc is none -%}
        {%- do daybreak._stop_unknown_form('window_key', as) -%}
    {%- endif -%}
    {%- set local = column if as == 'local' else daybreak.utc_to_local(utc) -%}
    {%- if grain == 'hour' -%}
        {#- In local time, for the zones that are half an hour off. -#}
        {{- return('(' ~ utc ~ ' - (' ~ local ~ " - date_trunc('hour', " ~ local ~ ')))') -}}
    {%- endif -%}
    {{- return(daybreak._date_trunc(grain, local)) -}}
{% endmacro %}

{% macro _date_trunc(grain, expression) %}
    {{- return("cast(date_trunc('" ~ grain ~ "', " ~ expression ~ ') as date)') -}}
{% endmacro %}
