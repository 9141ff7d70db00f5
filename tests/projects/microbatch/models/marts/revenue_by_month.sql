{{ config(event_time='month_at', batch_size='month', begin='2026-01-01') }}

select
    cast(date_trunc('month', order_date) as timestamp) at time zone 'UTC' as month_at,
    sum(revenue) as revenue
from {{ ref('revenue_by_day') }}
group by 1
