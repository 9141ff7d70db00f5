-- lint: none
-- prove: none
-- An aggregate of a windowed parent, whose event time is part of the key.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with sales as (

    select * from {{ ref('sales') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    store_id,
    count(*) as line_count,
    count(distinct customer_id) as customer_count,
    sum(amount) as amount,
    sold_on
from sales
group by store_id, sold_on
