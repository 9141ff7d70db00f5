MODEL (
  name main.dim_products,
  kind FULL,
  audits (
    not_null(columns := (product_id)),
    unique_values(columns := (product_id))
  )
);

with products as (

    select * from main.stg_products

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
