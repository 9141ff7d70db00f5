{#
    What the monitors compare a window with: windows of the same model that were published by an
    earlier invocation and found correct, and that lie before it in data time. So neither an
    unverified window nor a later backfill of old ones ever moves the baseline of a newer one.
#}

{# Only news is judged: the newest `recent` windows up to the newest complete one. #}
{% macro _recent_windows(grain, recent) %}
    select * from ({{ daybreak.window_spine(grain) }}) as windows
    where
        windows.window_key
        > {{ daybreak._newest_window_key(grain) }} - interval '{{ recent | int }} {{ grain }}'
{% endmacro %}

{# The key of the newest complete window: the runner's word, else the project's last window. #}
{% macro _newest_window_key(grain) %}
    {%- set hour = modules.datetime.timedelta(hours=1) -%}
    {%- if daybreak._has_window_vars() and var('newest_window', none) is not none -%}
        {%- set newest = daybreak._utc_of_instant(var('newest_window')) -%}
    {%- else -%}
        {%- set newest = daybreak._window_of_project().end - hour -%}
    {%- endif -%}
    {%- if grain == 'hour' -%}
        {{- return("cast('" ~ newest.strftime('%Y-%m-%d %H:%M:%S') ~ "' as timestamp)") -}}
    {%- endif -%}
    {%- set newest_date = newest.astimezone(daybreak._zone()).date() -%}
    {%- set first_date = daybreak._first_date_before(newest_date, grain) -%}
    {{- return("cast('" ~ first_date ~ "' as date)") -}}
{% endmacro %}

{#
    The verified windows that each recent window is compared with, the `history` newest of its
    kind: the same weekday of days, the same hour of the week of hours, any week or month.
#}
{% macro _verified_windows(judged, history) %}
    {%- set grain = judged.config.batch_size -%}
    {%- set local_start = daybreak.utc_to_local('window_start') %}
    select * from (
        select
            recent.window_key,
            verified.window_key as verified_key,
            verified.row_count,
            row_number() over (
                partition by recent.window_key order by verified.window_start desc
            ) as recency
        from (
            select
                window_key,
                window_start,
                {{ daybreak._kind_of_window(grain) }} as kind
            from recent_windows
        ) as recent
        inner join (
            select
                {{ 'window_start' if grain == 'hour' else 'cast(' ~ local_start ~ ' as date)' }}
                    as window_key,
                window_start,
                row_count,
                {{ daybreak._kind_of_window(grain) }} as kind
            from {{ daybreak._markers(judged.database) }} as markers
            where {{ daybreak._is_of(judged) }} and {{ daybreak._was_verified_before() }}
        ) as verified
            on recent.kind = verified.kind and verified.window_start < recent.window_start
    ) as ranked
    where recency <= {{ history | int }}
{% endmacro %}

{# Windows of one kind are alike: a Monday is compared with Mondays. #}
{% macro _kind_of_window(grain) %}
    {%- set local_start = daybreak.utc_to_local('window_start') -%}
    {%- if grain == 'hour' -%}
        {{- return(
            'extract(dow from ' ~ local_start ~ ') * 24 + extract(hour from ' ~ local_start ~ ')'
        ) -}}
    {%- endif -%}
    {{- return('extract(dow from ' ~ local_start ~ ')' if grain == 'day' else '0') -}}
{% endmacro %}

{# While a model is published its window holds new rows, though the old markers are still there. #}
{% macro _was_verified_before() %}
    {%- set verified = "verdict = 'correct' and published_at < " ~ daybreak._this_invocation() -%}
    {%- if model.resource_type == 'test' -%}
        {{- return(verified) -}}
    {%- endif -%}
    {{- return(verified ~ ' and not ' ~ daybreak._touches_window()) -}}
{% endmacro %}

{# The markers speak of all rows of a window. #}
{% macro _refuse_where(check) %}
    {%- if model.resource_type == 'test' and config.get('where') -%}
        {%- do daybreak._stop_where(check) -%}
    {%- endif -%}
{% endmacro %}

{% macro _stop_where(check) %}
    {%- do daybreak._stop(
        check ~ ' compares all rows of a window with all rows of earlier ones: take the where out'
        ~ ' of its config'
    ) -%}
{% endmacro %}
