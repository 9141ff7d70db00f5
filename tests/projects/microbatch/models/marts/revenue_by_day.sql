{{ config(event_time='order_date', batch_size='day', begin='2026-01-29', lookback=3) }}

select cast(ordered_at as date) as order_date, sum(amount) as revenue
from {{ ref('stg_orders') }}
group by 1
