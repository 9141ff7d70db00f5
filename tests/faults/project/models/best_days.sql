{{ config(materialized='table') }}

with daily_sales as (

    select * from {{ ref('daily_sales') }}

),

ranked as (

    select
        row_number() over (order by amount desc, sold_on) as place,
        sold_on,
        amount
    from daily_sales

)

select * from ranked
