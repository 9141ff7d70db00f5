{{
    config(
        incremental_strategy='merge',
        unique_key='order_id',
        version_column='extracted_at',
        event_time='business_date',
    )
}}

with lines as (

    select * from {{ ref('int_transaction_lines') }}
    where {{ daybreak.in_window('business_date') }}

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
