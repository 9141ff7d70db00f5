"""Why a window is what it is: its lineage, and the first cause."""
