"""Patches of dbt that make a run faster, and nothing else."""
