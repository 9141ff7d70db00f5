-- lint: DB06
-- prove: deterministic
-- A list in the order in which its rows were read, as JSON.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    cast(json_group_array(product_id) as varchar) as products,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_on
