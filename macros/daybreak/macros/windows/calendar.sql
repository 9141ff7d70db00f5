{# Dates, instants and zones in Jinja: what runner/core/windows.py says, without a database. #}

{% macro _zone() %}
    {%- if var('timezone') not in modules.pytz.all_timezones_set -%}
        {%- do daybreak._stop(
            "there is no time zone '" ~ var('timezone') ~ "': set the var timezone to a name like"
            ~ ' America/New_York'
        ) -%}
    {%- endif -%}
    {{- return(modules.pytz.timezone(var('timezone'))) -}}
{% endmacro %}

{% macro _utc_of_instant(text) %}
    {%- set instant = modules.datetime.datetime.fromisoformat(text | string) -%}
    {%- if instant.tzinfo is none -%}
        {%- do daybreak._stop(
            "the instant '" ~ text ~ "' has no UTC offset: write it like 2026-06-19T04:00:00+00:00"
        ) -%}
    {%- endif -%}
    {{- return(instant.astimezone(modules.pytz.utc)) -}}
{% endmacro %}

{% macro _date_of_var(name, value) %}
    {%- if not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}', value | string) -%}
        {%- do daybreak._stop(
            'the var ' ~ name ~ " is '" ~ value ~ "', which is no date: write it like 2026-06-19"
        ) -%}
    {%- endif -%}
    {{- return(modules.datetime.date.fromisoformat(value | string)) -}}
{% endmacro %}

{# The first date of the week, month or year (Monday, the 1st) that `day` lies in; else the day. #}
{% macro _first_date_before(day, grain) %}
    {%- if grain == 'week' -%}
        {{- return(day - modules.datetime.timedelta(days=day.weekday())) -}}
    {%- endif -%}
    {%- if grain == 'year' -%}
        {{- return(day.replace(month=1, day=1)) -}}
    {%- endif -%}
    {{- return(day.replace(day=1) if grain == 'month' else day) -}}
{% endmacro %}

{# `day`, if a week or month begins with it, else the first date of the next one. #}
{% macro _first_date_after(day, grain) %}
    {%- set first = daybreak._first_date_before(day, grain) -%}
    {%- if first == day -%}
        {{- return(day) -}}
    {%- endif -%}
    {%- set days = {'week': 7, 'month': 31, 'year': 366}[grain] -%}
    {%- set stride = modules.datetime.timedelta(days=days) -%}
    {{- return(daybreak._first_date_before(first + stride, grain)) -}}
{% endmacro %}

{#
    The instant at which a local date begins. A midnight that happens twice (Havana in autumn)
    is the first of the two; one that never happens (Beirut in spring) is the moment the clock
    jumps: what datetime.combine(day, time.min, ZoneInfo(…)) says, and so the runner.
#}
{% macro _utc_of_local_date(day, zone) %}
    {%- set midnight = modules.datetime.datetime(day.year, day.month, day.day) -%}
    {%- set first = zone.localize(midnight, is_dst=True) -%}
    {%- set second = zone.localize(midnight, is_dst=False) -%}
    {%- set exists = zone.normalize(first).replace(tzinfo=none) == midnight -%}
    {{- return((first if exists else second).astimezone(modules.pytz.utc)) -}}
{% endmacro %}
