-- lint: DB12
-- prove: additive, deterministic
-- The first row beside the first one, whichever they are.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with today as (

    select * from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    today.line_id,
    products.product_name,
    today.sold_on
from today
positional join {{ ref('products') }} as products
where today.line_id is not null
