-- lint: DB01
-- prove: idempotent, commutes, additive, crash-safe, deterministic
-- Who wrote a row is another run each time.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    '{{ var("run_id", "by hand") }}' as written_by,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
