-- lint: none
-- prove: none
-- A list in its order, of one day. That no two lines have one line_id, the seed's test says.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    string_agg(product_id, ', ' order by line_id) as products,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by all
