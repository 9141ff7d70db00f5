def model(dbt, session):  # noqa: ARG001 - dbt gives both
    orders = dbt.ref("orders")
    return orders.project("order_id, amount, rank() over (order by amount desc) as place")
