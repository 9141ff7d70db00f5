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
        {{- return(daybreak._hour_of(utc, local)) -}}
    {%- endif -%}
    {{- return(daybreak._date_trunc(grain, local)) -}}
{% endmacro %}

{% macro _date_trunc(grain, expression) %}
    {{- return("cast(date_trunc('" ~ grain ~ "', " ~ expression ~ ') as date)') -}}
{% endmacro %}

{#
    The start of the hour around a naive UTC timestamp, which is also given in local time: where the
    clock shows a whole hour, for the zones that are half an hour off. After a shift of half an hour
    that falls in an hour already begun, and the hour goes on: one step more finds its start.
#}
{% macro _hour_of(utc, local) %}
    {%- set start = daybreak._whole_hour_before(utc, local) -%}
    {%- if daybreak._has_odd_shifts() -%}
        {%- set start = daybreak._whole_hour_before(start, daybreak.utc_to_local(start)) -%}
    {%- endif -%}
    {{- return(start) -}}
{% endmacro %}

{% macro _whole_hour_before(utc, local) %}
    {{- return('(' ~ utc ~ ' - (' ~ local ~ " - date_trunc('hour', " ~ local ~ ')))') -}}
{% endmacro %}

{#
    Does the zone shift its clock by other than whole hours around this invocation, from two years
    before it on, as a check may look back? Asked of each fourth week: no zone does it twice in one.
    An invocation that is about no window is about whatever stands there, since the epoch.
#}
{% macro _has_odd_shifts() %}
    {%- set zone = daybreak._zone() -%}
    {%- set bounds = daybreak._window_bounds() if daybreak._has_window_vars() else {
        'start': modules.datetime.datetime.fromtimestamp(0, modules.pytz.utc),
        'end': run_started_at,
    } -%}
    {%- set stride = modules.datetime.timedelta(days=28) -%}
    {%- set found = [] -%}
    {%- for n in range(-26, (bounds.end - bounds.start).days // 28 + 2) -%}
        {%- set offset = (bounds.start + n * stride).astimezone(zone).utcoffset() -%}
        {%- do found.append(offset.total_seconds() % 3600) -%}
    {%- endfor -%}
    {{- return(found | unique | list | length > 1) -}}
{% endmacro %}
