-- lint: DB06, DB11
-- prove: additive, deterministic
-- The three dearest of a day become the three dearest of whatever range is built, and among equals
-- chance decides.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
order by quantity
limit 3
