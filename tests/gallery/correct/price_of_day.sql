-- lint: none
-- prove: none
-- A look-up whose order is total, and one by a key.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    lines.line_id,
    (
        select prices.price from {{ ref('prices') }} as prices
        where prices.product_id = lines.product_id and prices.valid_from <= lines.sold_on
        order by prices.valid_from desc, prices.price_id
        limit 1
    ) as price,
    (
        select products.product_name from {{ ref('products') }} as products
        where products.product_id = lines.product_id
        limit 1
    ) as product_name,
    lines.sold_on
from {{ ref('till_lines') }} as lines
where {{ daybreak.in_window('lines.sold_on') }}
