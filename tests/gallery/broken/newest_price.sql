-- lint: DB06
-- prove: deterministic
-- Two prices of one product begin on one day.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    lines.line_id,
    (
        select prices.price from {{ ref('prices') }} as prices
        where prices.product_id = lines.product_id and prices.valid_from <= lines.sold_on
        order by prices.valid_from desc
        limit 1
    ) as price,
    lines.sold_on
from {{ ref('till_lines') }} as lines
where {{ daybreak.in_window('lines.sold_on') }}
