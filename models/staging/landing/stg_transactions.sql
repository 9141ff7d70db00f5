{{
    config(
        materialized='incremental',
        incremental_strategy='overwrite_window',
        on_schema_change='fail',
        event_time='business_date',
        batch_size='day',
        begin='2017-03-01',
    )
}}

-- Read by the gates alone:
-- depends_on: {{ ref('store_closures') }}
-- depends_on: {{ ref('stg_control_totals') }}

with landed as (

    select * from {{ daybreak.landed_in_window(source('landing', 'transactions')) }}

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
        cast({{ daybreak.landed_date('filename') }} as date) as business_date,
        transaction_timestamp as sold_at,
        {{ daybreak.utc_to_local('transaction_timestamp') }} as sold_at_local,
        extracted_at
    from landed

),

final as (

    select * from renamed
    where {{ daybreak.in_window('business_date') }}

)

select * from final
