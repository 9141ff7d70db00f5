-- lint: DB03, DB04
-- prove: idempotent, additive, crash-safe
-- Every window appends the whole source.
{{ config(incremental_strategy='append') }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
