-- lint: DB04
-- prove: not built
-- dbt's habit: the first window reads everything, and rows outside of it are refused.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
{% if is_incremental() %}
    where {{ daybreak.in_window('sold_on') }}
{% endif %}
