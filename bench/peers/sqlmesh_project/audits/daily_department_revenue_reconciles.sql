-- The departments of a date add up to the date.
AUDIT (name daily_department_revenue_reconciles);

with actual as (
    select sale_date as day, sum(line_count) as line_count, sum(revenue) as revenue
    from @this_model
    where sale_date >= @start_date and sale_date <= @end_date
    group by 1
),

expected as (
    select sale_date as day, sum(line_count) as line_count, sum(revenue) as revenue
    from main.daily_revenue
    where sale_date >= @start_date and sale_date <= @end_date
    group by 1
)

select coalesce(actual.day, expected.day) as day
from actual
full join expected on actual.day = expected.day
where
    coalesce(actual.line_count, 0) != coalesce(expected.line_count, 0)
    or coalesce(actual.revenue, 0) != coalesce(expected.revenue, 0);
