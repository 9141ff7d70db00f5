{{ config(materialized='view', event_time='ordered_at') }}

select order_id, cast(amount as decimal(9, 2)) as amount, ordered_at
from {{ ref('raw_orders') }}
