-- lint: DB11
-- prove: additive
-- The first line of each customer: of the day, or of however many days are built at once.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with numbered as (

    select
        *,
        row_number() over (partition by customer_id order by sold_at, line_id) as place
    from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    line_id,
    customer_id,
    sold_on
from numbered
where place = 1
