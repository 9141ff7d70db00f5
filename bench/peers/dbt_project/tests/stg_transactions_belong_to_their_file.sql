-- No file holds the lines of another day.
select transaction_line_id
from {{ ref('stg_transactions') }}
where cast(sold_at_local as date) != business_date
