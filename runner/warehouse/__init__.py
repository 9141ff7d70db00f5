"""The warehouse: its lock, its markers, the schemas of its sources."""
