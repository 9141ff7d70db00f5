-- lint: none
-- prove: none
-- A hook that keeps to the window.
{{ config(
    incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day',
    post_hook="update {{ this }} set amount = amount + 1 where {{ daybreak.in_window('sold_on') }}"
) }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
