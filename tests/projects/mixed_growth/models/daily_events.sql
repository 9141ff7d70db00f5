{{ config(materialized='table') }}

select
    cast(happened_at as date) as event_date,
    count(*) as event_count
from {{ ref('by_watermark') }}
group by 1
