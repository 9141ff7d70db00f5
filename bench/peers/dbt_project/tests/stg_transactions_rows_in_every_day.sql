-- A day without rows that is neither closed nor zero at the source.
select days.business_date
from {{ ref('stg_control_totals') }} as days
left join {{ ref('stg_transactions') }} as judged on days.business_date = judged.business_date
where
    days.line_count > 0
    and days.business_date not in (select closed_on from {{ ref('store_closures') }})
    and days.business_date >= {{ first_day() }}
    and days.business_date < {{ end_day() }}
group by days.business_date
having count(judged.business_date) = 0
