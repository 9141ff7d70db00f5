{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='event_date',
    )
}}

select
    cast(happened_at as date) as event_date,
    count(*) as event_count
from {{ ref('events') }}
{% if is_incremental() %}
where happened_at >= '{{ var("reload_from") }}'
{% endif %}
group by 1
