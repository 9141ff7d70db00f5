-- lint: none
-- prove: none
-- The three dearest of each day.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
qualify row_number() over (partition by sold_on order by amount desc, line_id) <= 3
