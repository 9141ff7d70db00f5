-- lint: none
-- prove: none
-- Windows of an hour, over a naive timestamp in UTC.
{{ config(
    incremental_strategy='overwrite_window', event_time='sold_hour', batch_size='hour',
    meta={'event_time_as': 'utc'}
) }}

select
    store_id,
    count(*) as line_count,
    sum(amount) as amount,
    date_trunc('hour', sold_at) as sold_hour
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_at', as='utc') }}
group by store_id, date_trunc('hour', sold_at)
