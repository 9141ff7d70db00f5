select contact_id, name from {{ ref('crm', 'contacts') }}
