{#
    dbt's hook for the question whether a test has failed, where the project lets dbt look here. The
    thresholds of a check that names windows (error_if, warn_if, limit, fail_calc) hold for each window
    by itself: for all of an invocation together they would depend on how many windows that is for. A
    test that names none, or that is about no windowed model, is counted as dbt does.
#}
{% macro default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {%- if daybreak._reads_windows(model) -%}
        {{ daybreak._test_sql(main_sql, fail_calc, warn_if, error_if, limit) }}
    {%- else -%}
        {{ dbt.default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) }}
    {%- endif -%}
{%- endmacro %}

{% macro _reads_windows(test) %}
    {%- for unique_id in test.depends_on.nodes if unique_id in graph.nodes -%}
        {%- if daybreak._is_windowed(graph.nodes[unique_id]) -%}
            {{- return(true) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(false) -}}
{% endmacro %}

{# The same of a test of a windowed model, whoever asks: a gate asks of rows yet to be published. #}
{% macro _test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {%- if daybreak._has_thresholds(fail_calc, warn_if, error_if, limit)
        and daybreak._has_window_columns(daybreak._columns_selected(main_sql)) -%}
        {{ daybreak._test_sql_per_window(main_sql, fail_calc, warn_if, error_if, limit) }}
    {%- else -%}
        {{ dbt.default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) }}
    {%- endif -%}
{%- endmacro %}

{% macro _columns_selected(sql) %}
    {{- return(daybreak._column_names(daybreak._subquery(sql, 'columns_of'))) -}}
{% endmacro %}

{# Without any, one row is enough, and it does not matter how many there are. #}
{% macro _has_thresholds(fail_calc, warn_if, error_if, limit) %}
    {{- return(
        [fail_calc, warn_if, error_if] != ['count(*)', '!= 0', '!= 0'] or limit is not none
    ) -}}
{% endmacro %}

{% macro _has_window_columns(names) %}
    {{- return(
        ['window_start', 'window_end', 'expected', 'actual'] | reject('in', names) | list == []
    ) -}}
{% endmacro %}

{# Where no window is bad, dbt's answer to no rows at all. #}
{% macro _test_sql_per_window(main_sql, fail_calc, warn_if, error_if, limit) %}
    with counted as (
        {{ daybreak._failures_per_window(main_sql, fail_calc, limit) }}
    ),

    nothing_found as (
        select {{ fail_calc }} as failures
        from {{ daybreak._subquery(main_sql, 'found') }}
        having count(*) = 0
    ),

    answers as (
        select failures from counted
        union all
        select failures from nothing_found
    )

    select
        sum(failures) as failures,
        max(case when failures {{ warn_if }} then 1 else 0 end) = 1 as should_warn,
        max(case when failures {{ error_if }} then 1 else 0 end) = 1 as should_error
    from answers
{% endmacro %}

{% macro _failures_per_window(main_sql, fail_calc, limit) %}
    select
        window_start,
        {{ fail_calc }} as failures
    from (
        select
            *,
            row_number() over (partition by window_start) as place_in_window
        from {{ daybreak._subquery(main_sql, 'found') }}
    ) as placed
    {{ 'where place_in_window <= ' ~ limit if limit is not none }}
    group by window_start
{% endmacro %}
