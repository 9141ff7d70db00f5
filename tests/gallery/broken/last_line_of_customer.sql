-- lint: DB11
-- prove: additive
-- The last line of each customer, in whatever is built at once.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select distinct on (customer_id)
    customer_id,
    line_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
order by customer_id, sold_at desc, line_id
