-- lint: none
-- prove: none
-- The last line of each customer on each day.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select distinct on (sold_on, customer_id)
    customer_id,
    line_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
order by sold_on, customer_id, sold_at desc, line_id
