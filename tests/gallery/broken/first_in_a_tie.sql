-- lint: DB06
-- prove: deterministic
-- The order is in it, and three lines are of one minute.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    first(line_id order by cast(sold_at as date)) as first_line_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_on
