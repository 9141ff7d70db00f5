"""What a person or a program sees: progress, tables, graphs, JSON."""
