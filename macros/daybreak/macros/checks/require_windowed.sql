{# A check that returns a row per bad window needs a model with windows, and one zone for all. #}
{% macro _require_windowed(check) %}
    {%- set node = daybreak._judged_node() -%}
    {%- if not node or not daybreak._is_windowed(node) -%}
        {%- do daybreak._stop(
            check ~ ' judges windows, and ' ~ (node.name if node else 'this test') ~ ' has none:'
            ~ ' put it on a model with overwrite_window, merge or microbatch and an event_time'
        ) -%}
    {%- endif -%}
    {%- do daybreak._pin_zone() -%}
{% endmacro %}
