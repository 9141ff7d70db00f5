-- lint: DB01
-- prove: none
-- Tomorrow everything is a day older. Replays of one day all see the same date: only lint sees it.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    sold_on,
    current_date - sold_on as age_in_days
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
