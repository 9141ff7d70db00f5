-- lint: DB11
-- prove: additive
-- The average of the range, in a subquery.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with today as (

    select * from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    line_id,
    cast(amount - (select avg(amount) from today) as decimal(9, 4)) as above_average,
    sold_on
from today
