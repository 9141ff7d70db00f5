-- lint: DB01
-- prove: none
-- With one argument age counts up to today, and no replay of one day sees it.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    sold_on,
    date_part('year', age(sold_at)) as age_in_years
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
