-- lint: none
-- prove: none
-- The median, and a spread with as many digits as it has.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    store_id,
    quantile_cont(amount, 0.5) as median_amount,
    round(stddev(amount), 4) as spread,
    cast(sum(amount / quantity) as decimal(18, 2)) as unit_prices,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_on
