"""The dbt project as it is read: its manifest, its pipelines, the hashes of its code."""
