-- lint: none
-- prove: none
-- A change belongs to its own window; the newest version of an order wins, whenever it runs.
{{ config(
    incremental_strategy='merge', event_time='changed_on', batch_size='day',
    unique_key='order_id', version_column='version'
) }}

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
