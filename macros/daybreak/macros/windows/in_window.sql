{% macro in_window(column, as='date') %}
    {{- return(adapter.dispatch('in_window', 'daybreak')(column, as)) -}}
{% endmacro %}

{% macro default__in_window(column, as) %}
    {%- if daybreak._is_symbolic() -%}
        {{- return(daybreak._symbol_in_zone('in_window', column, daybreak._literal(as))) -}}
    {%- endif -%}
    {%- set bounds = daybreak._bounds_as(as) -%}
    {{- return(
        '(' ~ column ~ ' >= ' ~ bounds.start ~ ' and ' ~ column ~ ' < ' ~ bounds.end ~ ')'
    ) -}}
{% endmacro %}

{# The two bounds of the window as SQL literals of the asked kind. #}
{% macro _bounds_as(as) %}
    {%- set bounds = daybreak._window_bounds() -%}
    {%- if as == 'date' -%}
        {%- set dates = daybreak._window_dates(bounds) -%}
        {{- return({
            'start': "cast('" ~ dates.start ~ "' as date)",
            'end': "cast('" ~ dates.end ~ "' as date)",
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
    {%- elif as == 'batch' -%}
        {#- As dbt writes it: a text, which becomes what the column is. -#}
        {{- return({
            'start': "'" ~ bounds.utc_start ~ "+00:00'", 'end': "'" ~ bounds.utc_end ~ "+00:00'",
        }) -}}
    {%- endif -%}
    {%- do daybreak._stop_unknown_form('in_window', as) -%}
{% endmacro %}

{% macro _stop_unknown_form(where, as) %}
    {%- do daybreak._stop(
        where ~ " has no form '" ~ as ~ "': use 'date', 'utc', 'local', 'instant' or 'batch'"
    ) -%}
{% endmacro %}
