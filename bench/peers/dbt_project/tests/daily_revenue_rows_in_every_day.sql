-- A day without rows that is neither closed nor zero at the source.
select days.business_date
from {{ ref('stg_control_totals') }} as days
left join {{ ref('daily_revenue') }} as judged on days.business_date = judged.sale_date
where
    days.line_count > 0
    and days.business_date not in (select closed_on from {{ ref('store_closures') }})
    and days.business_date >= {{ first_day() }}
    and days.business_date < {{ end_day() }}
group by days.business_date
having count(judged.sale_date) = 0
