-- lint: DB11
-- prove: additive
-- The order is total: and the three dearest of a day become the three dearest of the range.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
order by amount desc, line_id
limit 3
