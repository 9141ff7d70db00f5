def model(dbt, session):  # noqa: ARG001 - dbt gives both
    dbt.config(materialized="incremental", unique_key="order_id")
    return dbt.ref("ranked_orders").filter("place = 1")
