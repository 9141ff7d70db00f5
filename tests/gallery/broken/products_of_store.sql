-- lint: DB11
-- prove: additive
-- A list in its order, but of all days that are built at once.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    string_agg(product_id, ', ' order by line_id) as products,
    max(sold_on) as sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id
