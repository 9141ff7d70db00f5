{#
    The window of this invocation as text ('YYYY-MM-DD HH:MM:SS'), in UTC and in the project's
    zone. The runner passes UTC instants as `window_start` and `window_end`; without them it is
    the project's range from `start_date` to `end_date`, store-local dates, the end exclusive.
#}
{% macro window_bounds() %}
    {%- set start = var('window_start', none) if _has_window_vars() else none -%}
    {%- set end = var('window_end', none) if _has_window_vars() else none -%}
    {%- if (start is none) != (end is none) -%}
        {{ stop('window_start and window_end go together: pass both or neither') }}
    {%- endif -%}
    {%- if start is none -%}
        {%- set today = run_started_at.astimezone(_zone()).strftime('%Y-%m-%d') -%}
        {%- set utc_start = _utc_of_local_date(var('start_date')) -%}
        {%- set utc_end = _utc_of_local_date(var('end_date', none) or today) -%}
    {%- else -%}
        {%- set utc_start = _utc_of_instant(start) -%}
        {%- set utc_end = _utc_of_instant(end) -%}
    {%- endif -%}
    {%- if utc_end <= utc_start -%}
        {{ stop('the window ends at ' ~ utc_end ~ ' but starts at ' ~ utc_start
            ~ ' (UTC): make the end later than the start') }}
    {%- endif -%}
    {%- set text = '%Y-%m-%d %H:%M:%S' -%}
    {{- return({
        'utc_start': utc_start.strftime(text),
        'utc_end': utc_end.strftime(text),
        'local_start': utc_start.astimezone(_zone()).strftime(text),
        'local_end': utc_end.astimezone(_zone()).strftime(text),
    }) -}}
{% endmacro %}

{#
    Was this invocation given a window by the runner? Unit tests are not: their rows are fixed,
    so their window is too.
#}
{% macro _has_window_vars() %}
    {{- return(
        (var('window_start', none) is not none or var('window_end', none) is not none)
        and model.resource_type != 'unit_test'
    ) -}}
{% endmacro %}

{% macro _zone() %}
    {{- return(modules.pytz.timezone(var('timezone'))) -}}
{% endmacro %}

{% macro _utc_of_instant(text) %}
    {%- set instant = modules.datetime.datetime.fromisoformat(text | string) -%}
    {%- if instant.tzinfo is none -%}
        {{ stop("the instant '" ~ text ~ "' has no UTC offset: write it like 2026-06-19T04:00:00+00:00") }}
    {%- endif -%}
    {{- return(instant.astimezone(modules.pytz.utc)) -}}
{% endmacro %}

{#
    The instant at which a local date begins. A midnight that happens twice (Havana in autumn)
    is the first of the two; one that never happens (Beirut in spring) is the moment the clock
    jumps: what datetime.combine(day, time.min, ZoneInfo(…)) says, and so the runner.
#}
{% macro _utc_of_local_date(text) %}
    {%- set midnight = modules.datetime.datetime.strptime(text | string, '%Y-%m-%d') -%}
    {%- set zone = _zone() -%}
    {%- set first = zone.localize(midnight, is_dst=True) -%}
    {%- set second = zone.localize(midnight, is_dst=False) -%}
    {%- set exists = zone.normalize(first).replace(tzinfo=none) == midnight -%}
    {{- return((first if exists else second).astimezone(modules.pytz.utc)) -}}
{% endmacro %}
