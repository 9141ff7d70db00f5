-- lint: none
-- prove: none
-- The first line of each customer on each day.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    customer_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
qualify row_number() over (partition by customer_id, sold_on order by sold_at, line_id) = 1
