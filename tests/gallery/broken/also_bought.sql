-- lint: DB11
-- prove: additive
-- What else a customer bought: on that day, or on any that is built with it.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with today as (

    select * from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    today.line_id,
    others.line_id as other_line_id,
    today.sold_on
from today
inner join today as others
    on today.customer_id = others.customer_id and today.line_id <> others.line_id
