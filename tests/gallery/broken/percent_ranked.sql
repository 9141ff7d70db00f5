-- lint: DB11
-- prove: additive
-- A rank among whatever is built with it.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    percent_rank() over (order by amount) as dearness,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
