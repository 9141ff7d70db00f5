-- lint: none
-- prove: none
-- It looks back over all that there is, and keeps to its window last.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with history as (

    select * from {{ ref('till_lines') }}

),

compared as (

    select
        line_id,
        lag(amount) over (partition by customer_id order by sold_at, line_id) as previous_amount,
        sold_on
    from history

)

select * from compared
where {{ daybreak.in_window('sold_on') }}
