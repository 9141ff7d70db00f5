{% test rows_in_every_window(
    model, closures=none, closed_on='closed_on',
    control_totals=none, control_date='business_date', control_count='line_count'
) %}
    {%- if execute -%}
        {%- do _require_windowed('rows_in_every_window') -%}
        {%- set dispatched = adapter.dispatch('test_rows_in_every_window', 'daybreak') -%}
        {{- _unless_empty(dispatched(
            model, closures, closed_on, control_totals, control_date, control_count
        )) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_rows_in_every_window(
    model, closures, closed_on, control_totals, control_date, control_count
) %}
    {%- set judged = _judged_node() -%}
    {%- set grain = judged.config.batch_size %}
    with windows as ({{ window_spine(grain) }}),

    actual as (
        select distinct {{ _window_key_of(judged) }} as window_key
        from {{ model }}
    ),

    empty as (
        select windows.*
        from windows
        left join actual on windows.window_key = actual.window_key
        where actual.window_key is null
    )

    select
        window_start,
        window_end,
        'rows, or evidence that there are none' as expected,
        '0 rows' as actual,
        '[]' as sample
    from empty
    where not (
        {{ _parents_are_empty(judged, grain) }}
        or {{ _all_days_closed(closures, closed_on) }}
        or {{ _control_total_is_zero(control_totals, control_date, control_count, grain) }}
    )
{% endmacro %}

{# The evidence of a model over models: none of its nearest windowed ancestors has a row. An
   empty pull from a source is never its own evidence. #}
{% macro _parents_are_empty(judged, grain) %}
    {%- set parents = _nearest_windowed_ancestors(judged) -%}
    {%- if not parents -%}
        false
    {%- else -%}
        {%- for parent in parents %}
        {{ 'and ' if not loop.first }}window_key not in (
            select {{ window_key(_event_time(parent), _event_time_as(parent), grain) }}
            from {{ parent.relation_name }}
            where {{ _in_window_of(parent) }}
        )
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{% macro _all_days_closed(closures, closed_on) %}
    {%- if closures is none -%}
        false
    {%- else -%}
        {%- set first_day = 'cast(' ~ utc_to_local('window_start') ~ ' as date)' -%}
        {%- set day_after = 'cast(' ~ utc_to_local('window_end') ~ ' as date)' -%}
        (
            select count(distinct {{ closed_on }}) from {{ closures }}
            where {{ closed_on }} >= {{ first_day }}
                and {{ closed_on }} < greatest({{ day_after }}, {{ first_day }} + 1)
        ) >= greatest({{ day_after }} - {{ first_day }}, 1)
    {%- endif -%}
{% endmacro %}

{% macro _control_total_is_zero(control_totals, control_date, control_count, grain) %}
    {%- if control_totals is none -%}
        false
    {%- else -%}
        coalesce((
            select sum({{ control_count }}) from {{ control_totals }}
            where {{ window_key(control_date, 'date', grain) }} = window_key
        ), 1) = 0
    {%- endif -%}
{% endmacro %}

{# The windowed models that a model reads, directly or through models that are not windowed. #}
{% macro _nearest_windowed_ancestors(node) %}
    {%- set found = {} -%}
    {%- for parent_id in node.depends_on.nodes if parent_id in graph.nodes -%}
        {%- set parent = graph.nodes[parent_id] -%}
        {%- if _is_windowed(parent) -%}
            {%- do found.update({parent_id: parent}) -%}
        {%- elif parent.resource_type == 'model' -%}
            {%- for ancestor in _nearest_windowed_ancestors(parent) -%}
                {%- do found.update({ancestor.unique_id: ancestor}) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(found.values() | list) -}}
{% endmacro %}
