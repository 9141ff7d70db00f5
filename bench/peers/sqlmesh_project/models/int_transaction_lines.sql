MODEL (
  name main.int_transaction_lines,
  kind VIEW,
  audits (
    not_null(columns := (transaction_line_id, department, is_known_product)),
    unique_values(columns := (transaction_line_id))
  )
);

with transactions as (

    select * from main.stg_transactions

),

products as (

    select * from main.stg_products

),

-- A left join: a line whose product nobody knows is revenue all the same.
joined as (

    select
        transactions.transaction_line_id,
        transactions.order_id,
        transactions.household_id,
        transactions.store_id,
        transactions.product_id,
        coalesce(products.department, 'UNKNOWN') as department,
        transactions.quantity,
        transactions.sales_value,
        transactions.retail_discount
        + transactions.coupon_discount
        + transactions.coupon_match_discount as discount,
        products.product_id is not null as is_known_product,
        transactions.business_date,
        transactions.sold_at,
        transactions.extracted_at
    from transactions
    left join products
        on transactions.product_id = products.product_id

)

select * from joined
