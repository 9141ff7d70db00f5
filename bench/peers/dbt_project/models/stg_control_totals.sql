with source as (

    select * from read_csv('landing/control_totals.csv')

),

renamed as (

    select
        cast(line_count as bigint) as line_count,
        cast(basket_count as bigint) as basket_count,
        cast(sales_value as decimal(18, 2)) as sales_value,
        cast(business_date as date) as business_date
    from source

)

select * from renamed
