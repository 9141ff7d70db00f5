{# What makes a model windowed, and what its config says of its windows. #}

{% macro is_windowed(node) %}
    {{- return(
        node.resource_type == 'model'
        and node.config.materialized == 'incremental'
        and node.config.get('event_time') is not none
        and node.config.get('incremental_strategy') in ['overwrite_window', 'merge']
    ) -}}
{% endmacro %}

{# How to read a model's event_time: as in in_window; `meta: {event_time_as: …}`, else a date. #}
{% macro event_time_as(node) %}
    {{- return((node.config.get('meta') or {}).get('event_time_as', 'date')) -}}
{% endmacro %}

{# The model that is being judged: of a test the model it is attached to, else the model. #}
{% macro _judged_node() %}
    {%- if model.resource_type == 'test' -%}
        {{- return(graph.nodes.get(model.attached_node)) -}}
    {%- endif -%}
    {{- return(model) -}}
{% endmacro %}

{# Every windowed model of the project. #}
{% macro windowed_models() %}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if is_windowed(node) -%}
        {%- do found.append(node) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{% macro stop(message) %}
    {%- do exceptions.raise_compiler_error('daybreak: ' ~ message) -%}
{% endmacro %}
