-- A day whose last line is long before midnight was cut off.
AUDIT (name stg_transactions_reach_the_end_of_the_day);

select business_date
from @this_model
group by business_date
having max(sold_at_local) < business_date + interval '18 hours';
