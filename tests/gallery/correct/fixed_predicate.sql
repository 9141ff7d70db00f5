-- lint: none
-- prove: none
-- dbt's own strategy, by a key that lies in one window, and with a bound that stands.
{{ config(
    incremental_strategy='delete+insert', unique_key='line_id', batch_size='day',
    incremental_predicates=["sold_on >= date '2026-01-01'"]
) }}

select
    line_id,
    amount,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
