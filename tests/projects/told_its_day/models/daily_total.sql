{{
    config(
        materialized='incremental',
        incremental_strategy='overwrite_window',
        event_time='snapshot_date',
        batch_size='day',
        begin='2026-01-01',
    )
}}

select
    snapshot_date,
    sum(pieces) as pieces
from {{ ref('daily_stock') }}
where {{ daybreak.in_window('snapshot_date') }}
group by 1
