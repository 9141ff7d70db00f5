"""Daybreak: a thin runner around a dbt project, for windows of data time."""
