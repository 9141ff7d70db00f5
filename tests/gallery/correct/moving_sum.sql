-- lint: none
-- prove: none
-- The frame reaches over the window's edge, and finds there what it looks for.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with daily as (

    select
        store_id,
        sold_on,
        sum(amount) as amount
    from {{ ref('till_lines') }}
    group by store_id, sold_on

),

summed as (

    select
        store_id,
        sum(amount) over (
            partition by store_id
            order by sold_on
            range between interval 2 days preceding and current row
        ) as recent_amount,
        sold_on
    from daily

)

select * from summed
where {{ daybreak.in_window('sold_on') }}
