-- lint: DB12
-- prove: not built
-- The same in Postgres' words.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    ctid as row_id,
    line_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
