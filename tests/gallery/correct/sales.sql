-- lint: none
-- prove: none
-- The window of the source, as it is.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    store_id,
    customer_id,
    product_id,
    quantity,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
