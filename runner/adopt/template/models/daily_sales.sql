{{
    config(
        materialized='incremental',
        incremental_strategy='overwrite_window',
        event_time='order_date',
        batch_size='day',
        begin='2026-01-01',
    )
}}

with orders as (

    select * from {{ ref('stg_orders') }}
    where {{ daybreak.in_window('order_date') }}

),

daily as (

    select
        order_date,
        count(*) as order_count,
        sum(amount) as revenue
    from orders
    group by order_date

)

select * from daily
