{{ config(event_time='sale_date') }}

with lines as (

    select * from {{ ref('int_transaction_lines') }}
    where {{ daybreak.in_window('business_date') }}

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
