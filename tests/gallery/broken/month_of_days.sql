-- lint: DB11, DB14
-- prove: not built
-- Every day of a month is said to lie on its first.
{{ config(
    incremental_strategy='overwrite_window', event_time='sold_month', batch_size='day'
) }}

select
    store_id,
    sum(amount) as amount,
    cast(date_trunc('month', sold_on) as date) as sold_month
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
group by store_id, sold_month
