-- The orders of a date add up to what the date says, whichever way its lines came in: fct_orders
-- is merged and daily_revenue is replaced, so each could go wrong without the other. Names the
-- dates that differ.
with windows as (

    {{ daybreak.window_spine('day') }}

),

orders as (

    select
        business_date,
        count(*) as order_count,
        sum(line_count) as line_count,
        sum(revenue) as revenue
    from {{ ref('fct_orders') }}
    where {{ daybreak.in_window('business_date') }}
    group by business_date

),

days as (

    select
        sale_date,
        order_count,
        line_count,
        revenue
    from {{ ref('daily_revenue') }}
    where {{ daybreak.in_window('sale_date') }}

),

compared as (

    select
        windows.window_start,
        windows.window_end,
        concat_ws(
            ' ', 'orders', days.order_count, 'lines', days.line_count, 'revenue', days.revenue
        ) as expected,
        concat_ws(
            ' ', 'orders', orders.order_count, 'lines', orders.line_count, 'revenue', orders.revenue
        ) as actual
    from windows
    left join orders on windows.window_key = orders.business_date
    left join days on windows.window_key = days.sale_date

)

select * from compared
where expected != actual
