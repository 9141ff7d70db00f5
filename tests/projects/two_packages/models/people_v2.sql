select
    coalesce(crm.contact_id, web.contact_id) as contact_id,
    crm.name,
    web.email
from {{ ref('crm', 'contacts') }} as crm
full outer join {{ ref('web', 'contacts') }} as web on crm.contact_id = web.contact_id
