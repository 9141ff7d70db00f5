-- lint: none
-- prove: none
-- The day is named where the total is made.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    cast(amount / sum(amount) over day as decimal(9, 6)) as share,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
window day as (partition by sold_on)
