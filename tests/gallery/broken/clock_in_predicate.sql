-- lint: DB01
-- prove: idempotent, crash-safe
-- What is older than a month is no longer deleted before it is written again.
{{ config(
    incremental_strategy='delete+insert', unique_key='line_id',
    incremental_predicates=["sold_on > current_date - 30"]
) }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
