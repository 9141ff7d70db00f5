-- lint: DB15
-- prove: deterministic
-- Worked out in floating point, whatever it is given.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    stddev(amount) as spread,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by sold_on
