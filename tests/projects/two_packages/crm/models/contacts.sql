select * from (values (1, 'Ada'), (2, 'Bo')) as contacts (contact_id, name)
