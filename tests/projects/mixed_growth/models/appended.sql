{{ config(materialized='incremental', incremental_strategy='append', schema='log') }}

select
    count(*) as event_count,
    max(happened_at) as newest_at
from {{ ref('events') }}
