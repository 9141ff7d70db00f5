-- lint: DB05
-- prove: commutes
-- Whichever window runs last wins, an old one too.
{{ config(incremental_strategy='merge', unique_key='order_id') }}

with changes as (

    select
        *,
        row_number() over (partition by order_id order by version desc) as place
    from {{ ref('order_changes') }}
    where {{ daybreak.in_window('changed_on') }}

)

select
    order_id,
    status,
    amount,
    version,
    changed_on
from changes
where place = 1
