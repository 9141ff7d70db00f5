-- lint: none
-- prove: none
-- A list that says its order.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    string_agg(distinct product_id, ', ' order by product_id) as products,
    max(line_id) as last_line_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_on
