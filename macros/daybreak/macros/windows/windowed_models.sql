{# What makes a model windowed, and what its config says of its windows. #}

{% macro _is_windowed(node) %}
    {{- return(
        node.resource_type == 'model'
        and node.config.get('materialized') == 'incremental'
        and node.config.get('event_time') is not none
        and (daybreak._asks_for_windows(node.config) or daybreak._is_microbatch(node))
    ) -}}
{% endmacro %}

{# Is the model that is being built ours to build? A microbatch is in what the runner starts. #}
{% macro _is_built_by_windows() %}
    {{- return(
        daybreak._asks_for_windows(config)
        or (var('run_id', none) is not none and daybreak._is_microbatch(model))
    ) -}}
{% endmacro %}

{#
    Does an incremental model ask to be replaced by windows? With our strategy; or with dbt's merge of a
    model that says what its windows are, as dbt has no use for a batch_size there.
#}
{% macro _asks_for_windows(config) %}
    {%- set strategy = config.get('incremental_strategy') -%}
    {{- return(
        strategy == 'overwrite_window'
        or (strategy == 'merge' and config.get('event_time') and config.get('batch_size'))
    ) -}}
{% endmacro %}

{# Every windowed model of the project. #}
{% macro _windowed_models() %}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if daybreak._is_windowed(node) -%}
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
    {{- return(daybreak._quoted(node.config.get('event_time'))) -}}
{% endmacro %}

{# A column's name as the config says it: as SQL, or just the name. #}
{% macro _quoted(column) %}
    {{- return(column if column.startswith('"') else adapter.quote(column)) -}}
{% endmacro %}

{#
    How to read the event time: as in in_window; `meta: {event_time_as: …}`, else a date, or whatever
    dbt takes for UTC, of a microbatch and of a view that dbt filters by it for one.
#}
{% macro _event_time_as(node) %}
    {%- set said = (node.config.get('meta') or {}).get('event_time_as') -%}
    {%- if said -%}
        {{- return(said) -}}
    {%- endif -%}
    {{- return(
        'batch' if node.config.get('incremental_strategy') == 'microbatch'
            or (node.config.get('materialized') == 'view' and daybreak._is_read_in_batches(node))
        else 'date'
    ) -}}
{% endmacro %}

{# The predicate that a row of the model lies in the window. #}
{% macro _in_window_of(node) %}
    {{- return(daybreak.in_window(daybreak._event_time(node), daybreak._event_time_as(node))) -}}
{% endmacro %}

{# The window key of a row of the model. #}
{% macro _window_key_of(node) %}
    {{- return(daybreak.window_key(
        daybreak._event_time(node), daybreak._event_time_as(node), node.config.batch_size
    )) -}}
{% endmacro %}
