{{ config(materialized='incremental') }}

select * from {{ ref('events') }}
{% if is_incremental() %}
where happened_at > (select max(happened_at) from {{ this }})
{% endif %}
