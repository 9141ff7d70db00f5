-- lint: none
-- prove: none
-- One row for each customer and day, whatever is built at once.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    customer_id,
    sum(amount) as amount,
    sold_on as bought_on,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by customer_id, bought_on
