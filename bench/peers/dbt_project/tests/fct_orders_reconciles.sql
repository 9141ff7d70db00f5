-- The orders of a day hold its lines and its money.
with actual as (
    select business_date as day, count(*) as order_count, sum(line_count) as line_count, sum(revenue) as revenue
    from {{ ref('fct_orders') }}
    where business_date >= {{ first_day() }} and business_date < {{ end_day() }}
    group by 1
),

expected as (
    select business_date as day, count(distinct order_id) as order_count, count(*) as line_count, sum(sales_value) as revenue
    from {{ ref('int_transaction_lines') }}
    where business_date >= {{ first_day() }} and business_date < {{ end_day() }}
    group by 1
)

select coalesce(actual.day, expected.day) as day
from actual
full join expected on actual.day = expected.day
where
    coalesce(actual.order_count, 0) != coalesce(expected.order_count, 0)
    or coalesce(actual.line_count, 0) != coalesce(expected.line_count, 0)
    or coalesce(actual.revenue, 0) != coalesce(expected.revenue, 0)
