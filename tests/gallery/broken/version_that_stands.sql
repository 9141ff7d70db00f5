-- lint: none
-- prove: commutes, isolated
-- The version of the format, not of the row: it never grows, so whichever window runs last wins, and
-- takes the order away from the window that it belongs to.
{{ config(
    incremental_strategy='merge', event_time='changed_on', batch_size='day',
    unique_key='order_id', version_column='format_version'
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
    2 as format_version,
    changed_on
from changes
where place = 1
