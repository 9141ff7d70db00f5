MODEL (
  name main.stg_transactions,
  kind INCREMENTAL_BY_TIME_RANGE (time_column business_date),
  depends_on (main.store_closures, main.stg_control_totals),
  audits (
    not_null(columns := (transaction_line_id, order_id, product_id, sales_value)),
    unique_values(columns := (transaction_line_id)),
    stg_transactions_rows_in_every_day,
    stg_transactions_reconciles,
    stg_transactions_belong_to_their_file,
    stg_transactions_reach_the_end_of_the_day
  )
);

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
        timezone('America/New_York', timezone('UTC', transaction_timestamp))
            as sold_at_local,
        extracted_at
    from landed

),

final as (

    select * from renamed
    where business_date between @start_date and @end_date

)

select * from final
