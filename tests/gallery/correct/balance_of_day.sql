-- lint: none
-- prove: none
-- A balance that begins anew each day, and says so.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with today as (

    select * from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    line_id,
    sum(amount) over (partition by sold_on, customer_id order by sold_at, line_id) as balance,
    sold_on
from today
