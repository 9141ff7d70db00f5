{# The range that an invocation is about, as it was told. #}
{% macro first_day() %}
    {{- return("cast('" ~ invocation_args_dict.event_time_start ~ "' as date)") -}}
{% endmacro %}

{% macro end_day() %}
    {{- return("cast('" ~ invocation_args_dict.event_time_end ~ "' as date)") -}}
{% endmacro %}
