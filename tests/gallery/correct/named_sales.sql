-- lint: none
-- prove: none
-- A dimension without windows that does not know every product yet.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with sales as (

    select * from {{ ref('sales') }}
    where {{ daybreak.in_window('sold_on') }}

),

products as (

    select * from {{ ref('products') }}

)

select
    sales.line_id,
    coalesce(products.product_name, 'unknown') as product_name,
    sales.amount,
    sales.sold_on
from sales
left join products on sales.product_id = products.product_id
