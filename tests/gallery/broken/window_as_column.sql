-- lint: DB11
-- prove: additive
-- Where the window begins: or the range, if several are built at once.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on,
    '{{ var("window_start", "2026-03-01T05:00:00+00:00") }}' as built_for
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
