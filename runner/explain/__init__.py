"""Explain a window: its lineage, and the first causes of what is wrong with it."""
