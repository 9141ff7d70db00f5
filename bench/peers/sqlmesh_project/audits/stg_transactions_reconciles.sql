-- Every day has what the source says it had.
AUDIT (name stg_transactions_reconciles);

with actual as (
    select business_date as day, count(*) as line_count, count(distinct order_id) as basket_count, sum(sales_value) as sales_value
    from @this_model
    where business_date >= @start_date and business_date <= @end_date
    group by 1
),

expected as (
    select business_date as day, sum(line_count) as line_count, sum(basket_count) as basket_count, sum(sales_value) as sales_value
    from main.stg_control_totals
    where business_date >= @start_date and business_date <= @end_date
    group by 1
)

select coalesce(actual.day, expected.day) as day
from actual
full join expected on actual.day = expected.day
where
    coalesce(actual.line_count, 0) != coalesce(expected.line_count, 0)
    or coalesce(actual.basket_count, 0) != coalesce(expected.basket_count, 0)
    or coalesce(actual.sales_value, 0) != coalesce(expected.sales_value, 0);
