-- lint: DB06
-- prove: deterministic
-- Some customer of the day: whichever is read first.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    any_value(customer_id) as a_customer_id,
    first(product_id) as first_product_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_on
