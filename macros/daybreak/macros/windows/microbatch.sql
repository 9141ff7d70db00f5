{#
    dbt's microbatch: its batches are windows, in what the runner starts. dbt cuts them in UTC and builds
    a model once for each, with the rows of its parents filtered; here each is replaced, judged and
    marked. In anybody's own `dbt build` such a model is dbt's alone.
#}

{# Is it a microbatch whose batches are windows? runner/project/manifest.py says the same. #}
{% macro _is_microbatch(node) %}
    {{- return(
        node.resource_type == 'model'
        and node.config.get('materialized') == 'incremental'
        and node.config.get('incremental_strategy') == 'microbatch'
        and node.config.get('event_time') is not none
        and node.language == 'sql'
        and daybreak._batches_are_windows(node.config.get('batch_size') | string)
    ) -}}
{% endmacro %}

{#
    Are dbt's batches of this size windows of the project? Hours are, where the zone is whole hours
    from UTC; longer ones, where it is UTC. Asked of the years 2000 to 2037, in winter and summer.
#}
{% macro _batches_are_windows(size) %}
    {%- if size not in ['hour', 'day', 'month', 'year'] -%}
        {{- return(false) -}}
    {%- elif var('timezone', 'UTC') == 'UTC' -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set zone = modules.pytz.timezone(var('timezone', 'UTC')) -%}
    {%- for year in range(2000, 2038) -%}
        {%- for month in [1, 7] -%}
            {%- set noon = modules.datetime.datetime(year, month, 1, 12) -%}
            {%- set seconds = zone.utcoffset(noon).total_seconds() -%}
            {%- if (seconds % 3600 if size == 'hour' else seconds) != 0 -%}
                {{- return(false) -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(true) -}}
{% endmacro %}

{# Does dbt filter the rows of a node by its event time, for a microbatch that reads it? #}
{% macro _is_read_in_batches(node) %}
    {%- for reader in graph.nodes.values()
        if reader.resource_type == 'model'
        and reader.config.get('incremental_strategy') == 'microbatch'
        and node.unique_id in reader.depends_on.nodes -%}
        {{- return(true) -}}
    {%- endfor -%}
    {{- return(false) -}}
{% endmacro %}

{# The batch that dbt is building, as the window of this invocation; none where there is none. #}
{% macro _window_of_batch() %}
    {%- set built = model | default({}, true) -%}
    {%- set batch = built.get('batch') if built.resource_type == 'model' else none -%}
    {%- if not batch -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return({
        'start': daybreak._utc_of_instant(batch.event_time_start),
        'end': daybreak._utc_of_instant(batch.event_time_end),
    }) -}}
{% endmacro %}

{# What the model selects; of a batch, as dbt has it, without what lies outside of it. #}
{% macro _selected_rows() %}
    {%- if not daybreak._is_microbatch(model) -%}
        {{- return(compiled_code) -}}
    {%- endif -%}
    {{- return(
        'select * from ' ~ daybreak._subquery(compiled_code, 'batch_rows') ~ ' where '
        ~ daybreak._in_window_of(model)
    ) -}}
{% endmacro %}

{# What of a microbatch's config would not be what it says, in a window that is replaced. #}
{% macro _validate_microbatch_config() %}
    {%- if not model.get('batch') -%}
        {%- do daybreak._stop(
            model.name ~ ' has no batch, as the project has a microbatch strategy of its own: take the'
            ~ ' macro get_incremental_microbatch_sql out, or set the flag'
            ~ ' require_batched_execution_for_custom_microbatch_strategy'
        ) -%}
    {%- endif -%}
    {%- for name in ['unique_key', 'incremental_predicates', 'predicates'] if config.get(name) -%}
        {%- do daybreak._stop(
            model.name ~ ' is a microbatch, which replaces all rows of a batch and no others: take '
            ~ name ~ ' out of its config'
        ) -%}
    {%- endfor -%}
{% endmacro %}
