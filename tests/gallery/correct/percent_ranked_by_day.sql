-- lint: none
-- prove: none
-- A rank among the lines of one day.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    percent_rank() over (partition by sold_on order by amount) as dearness,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
