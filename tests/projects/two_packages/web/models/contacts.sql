select * from (values (1, 'ada@x'), (3, 'cy@x')) as contacts (contact_id, email)
