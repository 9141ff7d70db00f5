{{ config(
    event_time='sold_on', incremental_strategy='merge', unique_key='receipt_id',
    version_column='version'
) }}

with sales as (

    select * from {{ ref('sales') }} where {{ daybreak.in_window('sold_on') }}

),

breads as (

    select * from {{ ref('breads') }}

),

receipts as (

    select
        sales.sale_id // 3 as receipt_id,
        sum(sales.quantity * breads.price) as amount,
        1 as version,
        sales.sold_on
    from sales
    inner join breads on sales.bread_id = breads.bread_id
    group by sales.sale_id // 3, sales.sold_on

)

select * from receipts
