-- lint: DB02, DB03
-- prove: commutes
-- What is older than the newest row never gets in: a day that is run late stays empty.
{{ config(incremental_strategy='append') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where
    {{ daybreak.in_window('sold_on') }}
    {% if is_incremental() %}
        and sold_on > (select max(sold_on) from {{ this }})
    {% endif %}
