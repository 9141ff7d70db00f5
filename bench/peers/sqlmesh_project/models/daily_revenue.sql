MODEL (
  name main.daily_revenue,
  kind INCREMENTAL_BY_TIME_RANGE (time_column sale_date),
  depends_on (main.int_transaction_lines, main.stg_control_totals, main.store_closures, main.fct_orders),
  audits (
    not_null(columns := (order_count, line_count, revenue, sale_date)),
    unique_values(columns := (sale_date)),
    daily_revenue_rows_in_every_day,
    daily_revenue_reconciles,
    orders_agree_with_daily_revenue
  )
);

with lines as (

    select * from main.int_transaction_lines
    where business_date between @start_date and @end_date

),

daily as (

    select
        cast(count(distinct order_id) as bigint) as order_count,
        cast(count(*) as bigint) as line_count,
        cast(sum(quantity) as bigint) as unit_count,
        cast(sum(sales_value) as decimal(18, 2)) as revenue,
        cast(sum(discount) as decimal(18, 2)) as discount,
        business_date as sale_date
    from lines
    group by business_date

)

select * from daily
