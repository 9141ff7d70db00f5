MODEL (
  name main.daily_department_revenue,
  kind INCREMENTAL_BY_TIME_RANGE (time_column sale_date),
  depends_on (main.int_transaction_lines, main.daily_revenue, main.stg_control_totals, main.store_closures),
  audits (
    not_null(columns := (department_day_id, revenue)),
    unique_values(columns := (department_day_id)),
    daily_department_revenue_rows_in_every_day,
    daily_department_revenue_reconciles
  )
);

with lines as (

    select * from main.int_transaction_lines
    where business_date between @start_date and @end_date

),

daily as (

    select
        business_date || ' ' || department as department_day_id,
        department,
        cast(count(distinct order_id) as bigint) as order_count,
        cast(count(*) as bigint) as line_count,
        cast(sum(quantity) as bigint) as unit_count,
        cast(sum(sales_value) as decimal(18, 2)) as revenue,
        cast(sum(discount) as decimal(18, 2)) as discount,
        business_date as sale_date
    from lines
    group by business_date, department

)

select * from daily
