-- Orders and days tell the same.
with actual as (
    select business_date as day, count(*) as order_count, sum(line_count) as line_count, sum(revenue) as revenue
    from {{ ref('fct_orders') }}
    where business_date >= {{ first_day() }} and business_date < {{ end_day() }}
    group by 1
),

expected as (
    select sale_date as day, sum(order_count) as order_count, sum(line_count) as line_count, sum(revenue) as revenue
    from {{ ref('daily_revenue') }}
    where sale_date >= {{ first_day() }} and sale_date < {{ end_day() }}
    group by 1
)

select coalesce(actual.day, expected.day) as day
from actual
full join expected on actual.day = expected.day
where
    coalesce(actual.order_count, 0) != coalesce(expected.order_count, 0)
    or coalesce(actual.line_count, 0) != coalesce(expected.line_count, 0)
    or coalesce(actual.revenue, 0) != coalesce(expected.revenue, 0)
