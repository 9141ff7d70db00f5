{{
    config(
        materialized='incremental',
        incremental_strategy='overwrite_window',
        event_time='snapshot_date',
        batch_size='day',
        begin='2026-01-01',
        meta={'window_var': 'snapshot_dt'},
    )
}}

-- The last count of each item up to the day.
select
    cast('{{ var("snapshot_dt") }}' as date) as snapshot_date,
    item,
    arg_max(pieces, changed_on) as pieces
from {{ ref('stock') }}
where changed_on <= '{{ var("snapshot_dt") }}'
group by item
