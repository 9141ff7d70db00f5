-- lint: DB02, DB11
-- prove: idempotent, crash-safe
-- total = total + today: run twice, today is in it twice.
{{ config(incremental_strategy='delete+insert', unique_key='store_id') }}

with today as (

    select
        store_id,
        sum(amount) as amount
    from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}
    group by store_id

)

select
    today.store_id,
    {% if is_incremental() %}
        cast(coalesce(so_far.total, 0) + today.amount as decimal(18, 2)) as total
    {% else %}
        cast(today.amount as decimal(18, 2)) as total
    {% endif %}
from today
{% if is_incremental() %}
    left join {{ this }} as so_far on today.store_id = so_far.store_id
{% endif %}
