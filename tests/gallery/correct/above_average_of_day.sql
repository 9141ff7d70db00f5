-- lint: none
-- prove: none
-- The average of the line's own day, looked up by it.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with today as (

    select * from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    line_id,
    cast(
        amount - (
            select avg(peers.amount) from today as peers
            where peers.sold_on = today.sold_on
        ) as decimal(9, 4)
    ) as above_average,
    sold_on
from today
