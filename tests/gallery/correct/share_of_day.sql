-- lint: none
-- prove: none
-- Two windowed parents, each filtered, joined on the event time.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with sales as (

    select * from {{ ref('sales') }}
    where {{ daybreak.in_window('sold_on') }}

),

revenue as (

    select * from {{ ref('store_revenue') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    sales.line_id,
    cast(sales.amount / revenue.amount as decimal(9, 6)) as share,
    sales.sold_on
from sales
inner join revenue
    on
        sales.store_id = revenue.store_id
        and sales.sold_on = revenue.sold_on
