select count(*) as orders from {{ ref('ranked_orders') }} where place = 1
