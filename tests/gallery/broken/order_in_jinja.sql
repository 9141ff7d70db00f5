-- lint: DB09
-- prove: deterministic
-- An order that is not total, where lint cannot read it: it says so, and a replay sees it.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

{% set place = 'when quantity > 0 then row_number() over (partition by sold_on order by sold_at)' %}

select
    line_id,
    case {{ place }} end as line_number,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
