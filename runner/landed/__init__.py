"""Landed files: which belong to a window, whether they are complete, whether they have changed."""
