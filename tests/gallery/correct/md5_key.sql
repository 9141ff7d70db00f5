-- lint: none
-- prove: none
-- A key from the columns that make it; one of them is only called like a place.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

with lines as (

    select
        line_id as rowid,
        store_id,
        sold_on
    from {{ ref('till_lines') }}
    where {{ daybreak.in_window('sold_on') }}

)

select
    md5(store_id || '-' || rowid) as row_id,
    rowid as line_id,
    sold_on
from lines
