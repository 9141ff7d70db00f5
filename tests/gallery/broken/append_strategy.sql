-- lint: DB03
-- prove: idempotent, crash-safe
-- A window that is run twice is there twice.
{{ config(incremental_strategy='append') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
