{% macro in_window(column, as='date') %}
    {{- return(adapter.dispatch('in_window', 'daybreak')(column, as)) -}}
{% endmacro %}

{% macro default__in_window(column, as) %}
    {%- set bounds = _bounds_as(as) -%}
    {{- return(
        column ~ ' >= ' ~ bounds.start ~ ' and ' ~ column ~ ' < ' ~ bounds.end
    ) -}}
{% endmacro %}

{# The two bounds of the window as SQL literals of the asked kind. #}
{% macro _bounds_as(as) %}
    {%- set bounds = window_bounds() -%}
    {%- if as == 'date' -%}
        {%- for bound in [bounds.local_start, bounds.local_end] -%}
            {%- if not bound.endswith('00:00:00') -%}
                {{ stop('the window bound ' ~ bound ~ ' (' ~ var('timezone') ~ ') is not a midnight, so '
                    ~ "in_window(…, as='date') cannot cut there: use as='utc', 'local' or 'instant'") }}
            {%- endif -%}
        {%- endfor -%}
        {{- return({
            'start': "cast('" ~ bounds.local_start[:10] ~ "' as date)",
            'end': "cast('" ~ bounds.local_end[:10] ~ "' as date)",
        }) -}}
    {%- elif as == 'utc' -%}
        {{- return({
            'start': "cast('" ~ bounds.utc_start ~ "' as timestamp)",
            'end': "cast('" ~ bounds.utc_end ~ "' as timestamp)",
        }) -}}
    {%- elif as == 'local' -%}
        {{- return({
            'start': "cast('" ~ bounds.local_start ~ "' as timestamp)",
            'end': "cast('" ~ bounds.local_end ~ "' as timestamp)",
        }) -}}
    {%- elif as == 'instant' -%}
        {{- return({
            'start': "cast('" ~ bounds.utc_start ~ "+00' as timestamp with time zone)",
            'end': "cast('" ~ bounds.utc_end ~ "+00' as timestamp with time zone)",
        }) -}}
    {%- endif -%}
    {{ stop("in_window has no form '" ~ as ~ "': use 'date', 'utc', 'local' or 'instant'") }}
{% endmacro %}
