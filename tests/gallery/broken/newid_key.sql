-- lint: DB01
-- prove: not built
-- Another dialect's clock or chance: DuckDB does not know it, and where it is known it is one.
{{ config(incremental_strategy='overwrite_window', event_time='sold_on', batch_size='day') }}

select
    newid() as row_id,
    line_id,
    sold_on
from {{ ref('till_lines') }}
where {{ daybreak.in_window('sold_on') }}
