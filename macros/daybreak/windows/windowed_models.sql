{# What makes a model windowed, and what its config says of its windows. #}

{% macro _is_windowed(node) %}
    {{- return(
        node.resource_type == 'model'
        and node.config.get('materialized') == 'incremental'
        and node.config.get('event_time') is not none
        and node.config.get('incremental_strategy') in ['overwrite_window', 'merge']
    ) -}}
{% endmacro %}

{# Every windowed model of the project. #}
{% macro _windowed_models() %}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if _is_windowed(node) -%}
        {%- do found.append(node) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{# The model that is being judged: of a test the model it is attached to, else the model. #}
{% macro _judged_node() %}
    {%- if model.resource_type != 'test' -%}
        {{- return(model) -}}
    {%- endif -%}
    {{- return(graph.nodes.get(model.attached_node) if execute else none) -}}
{% endmacro %}

{# The event time as SQL: quoted, so that a column may be called `order` or `Sold on`. #}
{% macro _event_time(node) %}
    {%- set column = node.config.get('event_time') -%}
    {{- return(column if column.startswith('"') else adapter.quote(column)) -}}
{% endmacro %}

{# How to read the event time: as in in_window; `meta: {event_time_as: …}`, else a date. #}
{% macro _event_time_as(node) %}
    {{- return((node.config.get('meta') or {}).get('event_time_as', 'date')) -}}
{% endmacro %}

{# The predicate that a row of the model lies in the window. #}
{% macro _in_window_of(node) %}
    {{- return(in_window(_event_time(node), _event_time_as(node))) -}}
{% endmacro %}

{# The window key of a row of the model. #}
{% macro _window_key_of(node) %}
    {{- return(window_key(_event_time(node), _event_time_as(node), node.config.batch_size)) -}}
{% endmacro %}
