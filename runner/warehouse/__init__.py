"""The warehouse: its lock and its markers."""
