"""Landed files: find those of a window, tell if they are complete, and if they have changed."""
