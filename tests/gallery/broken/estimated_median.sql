-- lint: DB15
-- prove: none
-- An estimate, which so few rows do not show.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    approx_quantile(amount, 0.5) as median_amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_on
