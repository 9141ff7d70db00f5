-- In the history of a product every state ends where the next one begins, or "as it was on that
-- day" has two answers or none. Returns the states that do not.
with states as (

    select
        product_id,
        dbt_valid_from,
        dbt_valid_to,
        lead(dbt_valid_from) over (
            partition by product_id
            order by dbt_valid_from
        ) as next_valid_from
    from {{ ref('products_snapshot') }}

)

select * from states
where dbt_valid_to != coalesce(next_valid_from, cast('9999-12-31' as timestamp))
