-- lint: none
-- prove: none
-- A total order: no two lines have the same line_id.
{{ config(
    incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day',
    unique_key='line_id'
) }}

select
    line_id,
    row_number() over (partition by sold_on order by sold_at, line_id) as line_number,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
