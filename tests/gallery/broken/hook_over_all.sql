-- lint: DB13
-- prove: commutes, additive, isolated, crash-safe
-- Each window that runs makes the rows of all the others dearer.
{{ config(
    incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day',
    post_hook='update {{ this }} set amount = amount + 1'
) }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
