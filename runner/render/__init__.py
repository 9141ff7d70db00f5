"""The face: pages, tables, graphs and JSON, each result described once; progress as it goes."""
