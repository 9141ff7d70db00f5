-- lint: none
-- prove: none
-- Any name of a product: its key is what the rows are grouped by, and it has one.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    lines.product_id,
    any_value(products.product_name) as product_name,
    sum(lines.amount) as amount,
    lines.sold_on
from {{ ref('till_lines') }} as lines
left join {{ ref('products') }} as products on lines.product_id = products.product_id
where {{ daybreak.in_window('lines.sold_on') }}
group by lines.product_id, lines.sold_on
