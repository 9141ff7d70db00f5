with orders as (

    select * from {{ source('landing', 'orders') }}

),

renamed as (

    select
        order_id,
        customer_id,
        cast(amount as decimal(12, 2)) as amount,
        cast(ordered_at as date) as order_date
    from orders

)

select * from renamed
