-- lint: DB11
-- prove: additive
-- What a customer paid the time before: alone, a day knows of none before it.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    lag(amount) over (partition by customer_id order by sold_at, line_id) as previous_amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
