{#
    The window of this invocation: its two instants, and both as text ('YYYY-MM-DD HH:MM:SS') in
    UTC and in the project's zone.

    The runner passes UTC instants as `window_start` and `window_end`; without them it is the
    project's range from `start_date` to `end_date`, local dates, the end exclusive. While dbt builds
    a batch of a microbatch model it is that.
#}
{% macro _window_bounds() %}
    {%- do daybreak._require_overrides() -%}
    {%- set instants = daybreak._window_of_batch() or (
        daybreak._window_of_vars() if daybreak._has_window_vars() else daybreak._window_of_project()
    ) -%}
    {%- set zone = daybreak._zone() -%}
    {%- set text = '%Y-%m-%d %H:%M:%S' -%}
    {{- return({
        'start': instants.start,
        'end': instants.end,
        'utc_start': instants.start.strftime(text),
        'utc_end': instants.end.strftime(text),
        'local_start': instants.start.astimezone(zone).strftime(text),
        'local_end': instants.end.astimezone(zone).strftime(text),
    }) -}}
{% endmacro %}

{#
    Was this invocation given a window by the runner? Unit tests are not: their rows are fixed,
    so their window is too.
#}
{% macro _has_window_vars() %}
    {{- return(
        (var('window_start', none) is not none or var('window_end', none) is not none)
        and (model | default({})).resource_type != 'unit_test'
    ) -}}
{% endmacro %}

{% macro _window_of_vars() %}
    {%- set start = var('window_start', none) -%}
    {%- set end = var('window_end', none) -%}
    {%- if start is none or end is none -%}
        {%- do daybreak._stop('window_start and window_end go together: pass both or neither') -%}
    {%- endif -%}
    {%- set instants = {
        'start': daybreak._utc_of_instant(start), 'end': daybreak._utc_of_instant(end),
    } -%}
    {%- if instants.end <= instants.start -%}
        {%- do daybreak._stop(
            'the window ends at ' ~ end ~ ' but starts at ' ~ start
            ~ ': make the end later than the start'
        ) -%}
    {%- endif -%}
    {{- return(instants) -}}
{% endmacro %}

{# The project's range, cut to the whole weeks, months or years of a model that has such windows. #}
{% macro _window_of_project() %}
    {%- set grain = daybreak._grain_of_this_node() -%}
    {%- set zone = daybreak._zone() -%}
    {%- set today = run_started_at.astimezone(zone).strftime('%Y-%m-%d') -%}
    {%- set start = daybreak._date_of_var('start_date', var('start_date')) -%}
    {%- set end = daybreak._date_of_var('end_date', var('end_date', none) or today) -%}
    {%- if daybreak._first_date_before(end, grain) <= daybreak._first_date_after(start, grain) -%}
        {%- do daybreak._stop(
            'no whole ' ~ (grain or 'day') ~ ' lies between start_date ' ~ start ~ ' and end_date '
            ~ end ~ ' (exclusive): move one of these vars'
        ) -%}
    {%- endif -%}
    {{- return({
        'start': daybreak._utc_of_local_date(daybreak._first_date_after(start, grain), zone),
        'end': daybreak._utc_of_local_date(daybreak._first_date_before(end, grain), zone),
    }) -}}
{% endmacro %}

{% macro _grain_of_this_node() %}
    {%- set node = daybreak._judged_node() if model is defined else none -%}
    {{- return(node.config.get('batch_size') if node and daybreak._is_windowed(node) else none) -}}
{% endmacro %}

{# The local dates that begin at the bounds of a window, as text; none where no date does. #}
{% macro _dates_that_begin(bounds) %}
    {%- set zone = daybreak._zone() -%}
    {{- return({
        'start': daybreak._date_that_begins_at(bounds.start, zone),
        'end': daybreak._date_that_begins_at(bounds.end, zone),
    }) -}}
{% endmacro %}

{% macro _date_that_begins_at(instant, zone) %}
    {%- set day = instant.astimezone(zone).date() -%}
    {{- return(day.isoformat() if daybreak._utc_of_local_date(day, zone) == instant else none) -}}
{% endmacro %}

{# The window as two dates, for what knows no smaller unit. #}
{% macro _window_dates(bounds) %}
    {%- set dates = daybreak._dates_that_begin(bounds) -%}
    {%- if dates.start is none or dates.end is none -%}
        {%- set odd = bounds.local_start if dates.start is none else bounds.local_end -%}
        {%- do daybreak._stop(
            'the window bound ' ~ odd ~ ' (' ~ var('timezone') ~ ') is not where a date begins, so'
            ~ " it cannot cut dates: give in_window as='utc', 'local' or 'instant'"
        ) -%}
    {%- endif -%}
    {{- return(dates) -}}
{% endmacro %}
