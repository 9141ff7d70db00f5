-- A day without rows that is neither closed nor zero at the source.
AUDIT (name daily_department_revenue_rows_in_every_day);

select days.business_date
from main.stg_control_totals as days
left join @this_model as judged on days.business_date = judged.sale_date
where
    days.line_count > 0
    and days.business_date not in (select closed_on from main.store_closures)
    and days.business_date >= @start_date
    and days.business_date <= @end_date
group by days.business_date
having count(judged.sale_date) = 0;
