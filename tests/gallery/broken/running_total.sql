-- lint: DB02, DB11
-- prove: idempotent, commutes
-- Adds to the greatest total so far, whichever day that was reached on.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with daily as (

    select
        sold_on,
        sum(amount) as amount
    from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}
    group by sold_on

)

select
    cast(
        sum(amount) over (order by sold_on)
        {% if is_incremental() %}
            + coalesce((select max(running_total) from {{ this }}), 0)
        {% endif %}
        as decimal(18, 2)
    ) as running_total,
    sold_on
from daily
