-- lint: DB11
-- prove: commutes, additive
-- "Two hours of yesterday too, for the late ones": and yesterday is replaced by two hours of it.
{{ config(incremental_strategy='delete+insert', unique_key=['store_id', 'sold_on']) }}

select
    store_id,
    count(*) as line_count,
    sum(amount) as amount,
    sold_on
from {{ ref('till_lines') }}
where
    {{ daybreak.in_window('sold_at', as='utc') }}
    or {{ daybreak.in_window("sold_at + interval '2 hours'", as='utc') }}
group by store_id, sold_on
