"""Take a dbt project on: what is missing is written, what could be better is proposed."""
