MODEL (
  name main.stg_products,
  kind VIEW,
  audits (
    not_null(columns := (product_id, department)),
    unique_values(columns := (product_id)),
    accepted_values(column := brand, is_in := ('National', 'Private'))
  )
);

with source as (

    select * from read_parquet('landing/products.parquet')

),

renamed as (

    select
        product_id,
        manufacturer_id,
        department,
        brand,
        product_category,
        product_type,
        package_size
    from source

)

select * from renamed
