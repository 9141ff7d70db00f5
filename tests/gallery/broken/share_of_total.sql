-- lint: DB11
-- prove: additive
-- The share of a line in the day's revenue, or in that of the range.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    cast(amount / sum(amount) over () as decimal(9, 6)) as share,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
