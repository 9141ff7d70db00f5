-- lint: DB11
-- prove: additive
-- One row for each customer and day, or one for all days that are built at once.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    customer_id,
    sum(amount) as amount,
    max(sold_on) as sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by customer_id
