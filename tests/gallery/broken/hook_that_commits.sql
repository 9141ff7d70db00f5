-- lint: DB10
-- prove: none
-- What its gates refuse would stay; the build refuses the hook first.
{{ config(
    incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day',
    post_hook='commit; analyze {{ this }}'
) }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ in_window('sold_on') }}
