-- lint: DB02
-- prove: commutes
-- A watermark of its own table, by its name.
{{ config(incremental_strategy='delete+insert', unique_key='line_id') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where
    {{ daybreak.in_window('sold_on') }}
    {% if is_incremental() %}
        and sold_on > (select max(sold_on) from main.own_by_name)
    {% endif %}
