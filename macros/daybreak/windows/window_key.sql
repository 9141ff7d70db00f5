{% macro window_key(column, as, grain) %}
    {{- return(adapter.dispatch('window_key', 'daybreak')(column, as, grain)) -}}
{% endmacro %}

{% macro default__window_key(column, as, grain) %}
    {%- if _is_symbolic() -%}
        {%- set zone = _literal(var('timezone')) -%}
        {{- return(_symbol('window_key', column, _literal(as), _literal(grain), zone)) -}}
    {%- endif -%}
    {%- if as == 'date' and grain == 'hour' -%}
        {%- do _stop(
            'the date ' ~ column ~ " does not say its hour: use a timestamp, as 'utc', 'local' or"
            ~ " 'instant', or windows of a day"
        ) -%}
    {%- elif as == 'date' -%}
        {#- Cast, or a timestamp that was taken for a date would join nothing and be missed. -#}
        {%- set day = 'cast(' ~ column ~ ' as date)' -%}
        {{- return(day if grain == 'day' else _date_trunc(grain, column)) -}}
    {%- endif -%}
    {%- set utc = {
        'utc': column,
        'instant': '(' ~ column ~ " at time zone 'UTC')",
        'local': local_to_utc(column),
    }.get(as) -%}
    {%- if utc is none -%}
        {%- do _stop_unknown_form('window_key', as) -%}
    {%- endif -%}
    {%- set local = column if as == 'local' else utc_to_local(utc) -%}
    {%- if grain == 'hour' -%}
        {#- In local time, for the zones that are half an hour off. -#}
        {{- return('(' ~ utc ~ ' - (' ~ local ~ " - date_trunc('hour', " ~ local ~ ')))') -}}
    {%- endif -%}
    {{- return(_date_trunc(grain, local)) -}}
{% endmacro %}

{% macro _date_trunc(grain, expression) %}
    {{- return("cast(date_trunc('" ~ grain ~ "', " ~ expression ~ ') as date)') -}}
{% endmacro %}
