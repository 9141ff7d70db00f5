-- lint: DB11
-- prove: additive
-- A frame of three lines that ends at the window's edge, wherever that is.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    cast(
        avg(amount) over (
            partition by store_id order by sold_at, line_id rows between 2 preceding and current row
        ) as decimal(9, 4)
    ) as recent_amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
