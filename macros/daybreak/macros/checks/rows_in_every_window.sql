{% test rows_in_every_window(
    model, closures=none, closed_on='closed_on',
    control_totals=none, control_date='business_date', control_count='line_count'
) %}
    {%- if execute -%}
        {%- do daybreak._require_windowed('rows_in_every_window') -%}
        {%- set dispatched = adapter.dispatch('test_rows_in_every_window', 'daybreak') -%}
        {{- daybreak._unless_empty(dispatched(
            model, closures, closed_on, control_totals, control_date, control_count
        )) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_rows_in_every_window(
    model, closures, closed_on, control_totals, control_date, control_count
) %}
    {%- set judged = daybreak._judged_node() -%}
    {%- set grain = judged.config.batch_size %}
    with windows as ({{ daybreak.window_spine(grain) }}),

    actual as (
        select distinct {{ daybreak._window_key_of(judged) }} as window_key
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
        {{ daybreak._parents_are_empty(judged, grain) }}
        or {{ daybreak._all_days_closed(closures, closed_on) }}
        or {{ daybreak._control_total_is_zero(control_totals, control_date, control_count) }}
    )
{% endmacro %}

{#
    The evidence of a model over models: its nearest windowed ancestors are published, and none has
    a row. An
    empty pull from a source is never its own evidence, so a model that also reads a source
    itself has to bring another one.
#}
{% macro _parents_are_empty(judged, grain) %}
    {%- set parents = daybreak._nearest_windowed_ancestors(judged) -%}
    {%- set sources = judged.depends_on.nodes | select('in', graph.sources) | list -%}
    {%- if not parents or sources -%}
        false
    {%- else -%}
        {%- for parent in parents %}
        {{ 'and ' if not loop.first }}{{ daybreak._parent_is_empty(parent, grain) }}
        and {{ daybreak._parent_is_published(parent) }}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{# A window that a parent has never published, or that is wrong, is empty too and proves nothing. #}
{% macro _parent_is_published(parent) %}
    (
        select
            coalesce(sum(
                epoch(least(markers.window_end, empty.window_end))
                - epoch(greatest(markers.window_start, empty.window_start))
            ), 0)
        from {{ daybreak._markers(parent.database) }} as markers
        where markers.unique_id = {{ daybreak._literal(parent.unique_id) }}
            and markers.window_start < empty.window_end
            and markers.window_end > empty.window_start
            and coalesce(markers.verdict, '') != 'incorrect'
    ) >= epoch(empty.window_end) - epoch(empty.window_start)
{% endmacro %}

{% macro _parent_is_empty(parent, grain) %}
    {%- set event_time = daybreak._event_time(parent) -%}
    {%- if grain == 'hour' and daybreak._event_time_as(parent) == 'date' -%}
        {#- A date does not say its hour, but a day without rows has no hour with any. -#}
        {%- set bounds = daybreak._window_bounds() -%}
        {%- set first_day, day_count = daybreak._days_of_window() -%}
        {{ first_day }} not in (
            select {{ event_time }}
            from {{ parent.relation_name }}
            where {{ event_time }} >= cast('{{ bounds.local_start[:10] }}' as date)
                and {{ event_time }} <= cast('{{ bounds.local_end[:10] }}' as date)
        )
    {%- else -%}
        window_key not in (
            select {{ daybreak.window_key(event_time, daybreak._event_time_as(parent), grain) }}
            from {{ parent.relation_name }}
            where {{ daybreak._in_window_of(parent) }}
        )
    {%- endif -%}
{% endmacro %}

{# Of a row of the spine: its first local date, and on how many it lies, as SQL. #}
{% macro _days_of_window() %}
    {%- set first_day = 'cast(' ~ daybreak.utc_to_local('window_start') ~ ' as date)' -%}
    {%- set day_after = 'cast(' ~ daybreak.utc_to_local('window_end') ~ ' as date)' -%}
    {%- set day_count = 'cast(greatest(' ~ day_after ~ ' - ' ~ first_day ~ ', 1) as integer)' -%}
    {{- return((first_day, day_count)) -}}
{% endmacro %}

{% macro _all_days_closed(closures, closed_on) %}
    {%- if closures is none -%}
        false
    {%- else -%}
        {%- set first_day, day_count = daybreak._days_of_window() -%}
        (
            select count(distinct {{ closed_on }}) from {{ closures }}
            where {{ closed_on }} >= {{ first_day }}
                and {{ closed_on }} < {{ first_day }} + {{ day_count }}
        ) >= {{ day_count }}
    {%- endif -%}
{% endmacro %}

{# The source says zero of each day of the window; a day of which it says nothing proves nothing. #}
{% macro _control_total_is_zero(control_totals, control_date, control_count) %}
    {%- if control_totals is none -%}
        false
    {%- else -%}
        {%- set first_day, day_count = daybreak._days_of_window() -%}
        (
            select
                case
                    when count(*) = count(case when {{ control_count }} = 0 then 1 end)
                        then count(distinct {{ control_date }})
                    else 0
                end
            from {{ control_totals }}
            where {{ control_date }} >= {{ first_day }}
                and {{ control_date }} < {{ first_day }} + {{ day_count }}
        ) >= {{ day_count }}
    {%- endif -%}
{% endmacro %}

{# The windowed models that a model reads, directly or through models that are not windowed. #}
{% macro _nearest_windowed_ancestors(node) %}
    {%- set found = {} -%}
    {%- for parent_id in node.depends_on.nodes if parent_id in graph.nodes -%}
        {%- set parent = graph.nodes[parent_id] -%}
        {%- if daybreak._is_windowed(parent) -%}
            {%- do found.update({parent_id: parent}) -%}
        {%- elif parent.resource_type == 'model' -%}
            {%- for ancestor in daybreak._nearest_windowed_ancestors(parent) -%}
                {%- do found.update({ancestor.unique_id: ancestor}) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(found.values() | list) -}}
{% endmacro %}
