-- lint: none
-- prove: none
-- The month is there too, and so is the day.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    sum(amount) as amount,
    cast(date_trunc('month', sold_on) as date) as sold_month,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_month, sold_on
