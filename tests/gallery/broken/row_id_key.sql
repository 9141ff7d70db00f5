-- lint: DB12
-- prove: deterministic
-- A key that is a place on the disk: the next load of the source gives every row another one.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    rowid as row_id,
    line_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
