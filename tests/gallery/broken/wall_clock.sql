-- lint: DB01
-- prove: idempotent, commutes, additive, crash-safe, deterministic
-- Each run writes another time.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on,
    now() as loaded_at
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
