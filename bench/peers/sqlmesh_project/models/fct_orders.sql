MODEL (
  name main.fct_orders,
  kind INCREMENTAL_BY_TIME_RANGE (time_column business_date),
  depends_on (main.int_transaction_lines, main.stg_control_totals, main.store_closures),
  audits (
    not_null(columns := (order_id, revenue)),
    unique_values(columns := (order_id)),
    fct_orders_rows_in_every_day,
    fct_orders_reconciles
  )
);

with lines as (

    select * from main.int_transaction_lines
    where business_date between @start_date and @end_date

),

orders as (

    select
        order_id,
        household_id,
        store_id,
        cast(count(*) as bigint) as line_count,
        cast(sum(quantity) as bigint) as unit_count,
        cast(sum(sales_value) as decimal(18, 2)) as revenue,
        cast(sum(discount) as decimal(18, 2)) as discount,
        business_date,
        sold_at as ordered_at,
        max(extracted_at) as extracted_at
    from lines
    group by order_id, household_id, store_id, business_date, sold_at

)

select * from orders
