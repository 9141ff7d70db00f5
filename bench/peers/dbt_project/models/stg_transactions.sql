{{
    config(
        materialized='incremental',
        incremental_strategy='microbatch',
        event_time='business_date',
        contract={'enforced': false},
    )
}}

with landed as (

    select * from read_parquet('landing/transactions/*.parquet', filename = true)

),

renamed as (

    select
        basket_id || '-' || product_id as transaction_line_id,
        basket_id as order_id,
        household_id,
        store_id,
        product_id,
        cast(quantity as bigint) as quantity,
        cast(sales_value as decimal(12, 2)) as sales_value,
        cast(retail_disc as decimal(12, 2)) as retail_discount,
        cast(coupon_disc as decimal(12, 2)) as coupon_discount,
        cast(coupon_match_disc as decimal(12, 2)) as coupon_match_discount,
        cast(try_cast(parse_filename(filename, true) as date) as date) as business_date,
        transaction_timestamp as sold_at,
        timezone('{{ var("timezone") }}', timezone('UTC', transaction_timestamp))
            as sold_at_local,
        extracted_at
    from landed

),

final as (

    select * from renamed
    {% if model.batch %}
        where
            business_date >= cast('{{ model.batch.event_time_start }}' as date)
            and business_date < cast('{{ model.batch.event_time_end }}' as date)
    {% endif %}

)

select * from final
