{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('stg_orders') }}

),

customers as (

    select
        customer_id,
        count(*) as order_count,
        max(order_date) as last_order_date
    from orders
    group by customer_id

)

select * from customers
