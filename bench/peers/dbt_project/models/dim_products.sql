{{ config(materialized='table') }}

with products as (

    select * from {{ ref('stg_products') }}

),

final as (

    select
        product_id,
        manufacturer_id,
        department,
        product_category,
        product_type,
        package_size,
        brand = 'Private' as is_private_label
    from products

)

select * from final
