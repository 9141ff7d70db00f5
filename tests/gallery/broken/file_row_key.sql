-- lint: DB12
-- prove: not built
-- A line's number in its file, which is another one when the file is sent again. (There is none here.)
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    file_row_number as row_id,
    line_id,
    sold_on
from read_parquet('landing/till_lines.parquet', file_row_number = true)
where {{ daybreak.in_window('sold_on') }}
