{{ config(event_time='sold_on') }}

with days as (

    select cast(moment as date) as sold_on
    from
        generate_series(
            timestamp '2026-03-01', timestamp '2026-03-30', interval 1 day
        ) as series (moment)
    where {{ daybreak.in_window('cast(moment as date)') }}

),

-- So that no two windows are alike; a test may have fewer landed at first.
sold as (

    select
        sold_on,
        day(sold_on) * 1000 + number as sale_id,
        (day(sold_on) * 7 + number * 3) % 5 as bread_id,
        1 + (day(sold_on) + number) % 4 as quantity
    from days
    cross join range(300) as numbers (number)
    where
        number < {{ env_var('BAKERY_SALES', '10') }} * day(sold_on)
        -- A test may lose the sales of a date.
        and sold_on != cast('{{ env_var("BAKERY_LOSES", "1999-01-01") }}' as date)

)

select * from sold
