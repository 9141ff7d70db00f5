-- lint: DB08
-- prove: idempotent, commutes, additive
-- The share of a day in all that is there: what is there depends on which windows have run.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with history as (

    select sum(amount) as amount
    from {{ ref('sales') }}

)

select
    till_lines.line_id,
    cast(till_lines.amount / history.amount as decimal(9, 6)) as share,
    till_lines.sold_on
from {{ ref('till_lines') }} as till_lines
cross join history
where {{ daybreak.in_window('till_lines.sold_on') }}
