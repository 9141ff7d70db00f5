-- A day whose last line is long before midnight was cut off.
select business_date
from {{ ref('stg_transactions') }}
group by business_date
having max(sold_at_local) < business_date + interval '18 hours'
