-- lint: none
-- prove: none
-- The time of the run is meant to differ, and says so.
{{ config(
    incremental_strategy='overwrite_window',
    event_time='sold_on',
    batch_size='day',
    meta={'volatile': ['loaded_at']}
) }}

select
    line_id,
    amount,
    sold_on,
    now() as loaded_at
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
