-- lint: DB15
-- prove: deterministic
-- The last digits depend on which of the numbers is added first.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    sum(cast(amount as double) / 3) as third,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by sold_on
