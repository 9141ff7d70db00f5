"""The warehouse: who holds its file, what its markers say, what its sources look like."""
