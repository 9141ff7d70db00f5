"""The engines that run dbt: one protocol, a warm one (forked) and a plain one (subprocess)."""
