-- lint: none
-- prove: none
-- The window that a row lies in, made from the row.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on,
    cast(sold_on as timestamp) as built_for
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
