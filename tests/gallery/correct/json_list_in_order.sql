-- lint: none
-- prove: none
-- JSON of a list that says its order.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    cast(to_json(list(product_id order by sold_at, line_id)) as varchar) as products,
    len(list(product_id)) as line_count,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_on
