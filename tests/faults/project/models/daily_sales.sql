{{ config(event_time='sold_on') }}

with sales as (

    select * from {{ ref('sales') }} where {{ daybreak.in_window('sold_on') }}

),

receipts as (

    select * from {{ ref('receipts') }} where {{ daybreak.in_window('sold_on') }}

),

counted as (

    select
        sold_on,
        count(*) as sale_count,
        sum(quantity) as unit_count
    from sales
    group by sold_on

),

paid as (

    select
        sold_on,
        sum(amount) as amount
    from receipts
    group by sold_on

),

daily as (

    select
        counted.sold_on,
        counted.sale_count,
        counted.unit_count,
        paid.amount
    from counted
    inner join paid on counted.sold_on = paid.sold_on

)

select * from daily
