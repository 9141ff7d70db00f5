-- lint: DB04
-- prove: commutes, additive
-- The window is asked for where products are joined: all lines come, most of them without a name.
{{ config(incremental_strategy='delete+insert', unique_key='line_id') }}

select
    lines.line_id,
    products.product_name,
    lines.sold_on
from {{ ref('till_lines') }} as lines
left join {{ ref('products') }} as products
    on lines.product_id = products.product_id and {{ daybreak.in_window('lines.sold_on') }}
