{{ config(event_time='hour_at', batch_size='hour', begin='2026-01-31 20:00:00') }}

select date_trunc('hour', ordered_at) as hour_at, count(*) as order_count
from {{ ref('stg_orders') }}
group by 1
