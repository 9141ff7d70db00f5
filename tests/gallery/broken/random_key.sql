-- lint: DB01
-- prove: idempotent, commutes, additive, crash-safe, deterministic
-- Each run gives the same row another key.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    uuid() as row_id,
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
