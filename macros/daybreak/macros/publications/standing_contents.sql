{#
    What the windows about to be replaced hold, kept until the new rows have been counted. Only rows
    that are seen to be the same are the same: somebody may have changed those that the markers
    speak of, and others may have read them since. None where nothing is published or stands.
#}
{% macro _keep_standing_contents(existing) %}
    {%- if existing is none or existing.is_view
        or (daybreak._highest_fence() is none and not daybreak._has_rows_in_window(existing)) -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set standing = make_temp_relation(existing, '__standing')
        .include(database=False, schema=False) -%}
    {%- do run_query(
        'create temporary table ' ~ standing ~ ' as '
        ~ daybreak._contents_by_window(model, existing, daybreak._in_window_of(model))
    ) -%}
    {{- return(standing) -}}
{% endmacro %}

{# Rows that no marker speaks of: a plain table was there before its model had windows. #}
{% macro _has_rows_in_window(relation) %}
    {%- if not daybreak._has_event_time(relation) -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- set found = run_query(
        'select 1 from ' ~ relation ~ ' where ' ~ daybreak._in_window_of(model) ~ ' limit 1'
    ) -%}
    {{- return(found.rows | length > 0) -}}
{% endmacro %}
