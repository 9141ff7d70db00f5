-- No file holds the lines of another day.
AUDIT (name stg_transactions_belong_to_their_file);

select transaction_line_id
from @this_model
where cast(sold_at_local as date) != business_date;
