-- lint: DB06
-- prove: deterministic
-- Three lines of one minute: which is the first depends on how they lie on the disk.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    row_number() over (partition by sold_on order by sold_at) as line_number,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
