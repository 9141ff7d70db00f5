-- lint: DB01
-- prove: idempotent, commutes, additive, crash-safe, deterministic
-- dbt's clock is a clock too.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on,
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as loaded_at
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
