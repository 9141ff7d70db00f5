{#
    dbt's hook for the question whether a test has failed. The thresholds of a check that names
    windows (error_if, warn_if, limit, fail_calc) hold for each window by itself: for all of an
    invocation together they would depend on how many windows that is for. A test that names none is
    counted as dbt does.
#}
{% macro get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {%- if _has_thresholds(fail_calc, warn_if, error_if, limit)
        and _has_window_columns(_column_names(_subquery(main_sql, 'columns_of'))) -%}
        {{ _test_sql_per_window(main_sql, fail_calc, warn_if, error_if, limit) }}
    {%- else -%}
        {{ dbt.get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) }}
    {%- endif -%}
{%- endmacro %}

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
        {{ _failures_per_window(main_sql, fail_calc, limit) }}
    ),

    nothing_found as (
        select {{ fail_calc }} as failures
        from {{ _subquery(main_sql, 'found') }}
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
        from {{ _subquery(main_sql, 'found') }}
    ) as placed
    {{ 'where place_in_window <= ' ~ limit if limit is not none }}
    group by window_start
{% endmacro %}
