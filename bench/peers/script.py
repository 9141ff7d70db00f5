"""The floor: the pipeline's SQL written by hand for DuckDB, one statement each for the whole range.

No windows, no markers, no ledger, no retries; each table is replaced and then checked. Run as
``python script.py FIRST_DAY END_DAY`` in a folder with ``landing/`` in it. Prints its engine time:
the seconds from the connection to its close, without the start of Python.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import duckdb

ORDERS_AND_DAYS = {
    "fct_orders": """
        select order_id, household_id, store_id, count(*)::bigint as line_count,
            sum(quantity)::bigint as unit_count, sum(sales_value)::decimal(18, 2) as revenue,
            sum(discount)::decimal(18, 2) as discount, business_date, sold_at as ordered_at,
            max(extracted_at) as extracted_at
        from int_transaction_lines where {window}
        group by order_id, household_id, store_id, business_date, sold_at""",
    "daily_revenue": """
        select count(distinct order_id)::bigint as order_count, count(*)::bigint as line_count,
            sum(quantity)::bigint as unit_count, sum(sales_value)::decimal(18, 2) as revenue,
            sum(discount)::decimal(18, 2) as discount, business_date as sale_date
        from int_transaction_lines where {window} group by business_date""",
    "daily_department_revenue": """
        select business_date || ' ' || department as department_day_id, department,
            count(distinct order_id)::bigint as order_count, count(*)::bigint as line_count,
            sum(quantity)::bigint as unit_count, sum(sales_value)::decimal(18, 2) as revenue,
            sum(discount)::decimal(18, 2) as discount, business_date as sale_date
        from int_transaction_lines where {window} group by business_date, department""",
}
BEFORE = """
    create table store_closures (closed_on date, reason varchar);
    insert into store_closures values ('2017-12-25', 'Christmas Day');
    create view stg_control_totals as select line_count::bigint as line_count,
        basket_count::bigint as basket_count, sales_value::decimal(18, 2) as sales_value,
        business_date::date as business_date from read_csv('landing/control_totals.csv');
    create view stg_products as select product_id, manufacturer_id, department, brand,
        product_category, product_type, package_size from read_parquet('landing/products.parquet');
    create table dim_products as select product_id, manufacturer_id, department, product_category,
        product_type, package_size, brand = 'Private' as is_private_label from stg_products;
"""
LINES = """
    create table stg_transactions as
    select basket_id || '-' || product_id as transaction_line_id, basket_id as order_id,
        household_id, store_id, product_id, quantity::bigint as quantity,
        sales_value::decimal(12, 2) as sales_value, retail_disc::decimal(12, 2) as retail_discount,
        coupon_disc::decimal(12, 2) as coupon_discount,
        coupon_match_disc::decimal(12, 2) as coupon_match_discount,
        try_cast(parse_filename(filename, true) as date) as business_date,
        transaction_timestamp as sold_at,
        timezone('America/New_York', timezone('UTC', transaction_timestamp)) as sold_at_local,
        extracted_at
    from read_parquet('landing/transactions/*.parquet', filename = true) where {window}
"""
JOINED = """
    create view int_transaction_lines as
    select t.transaction_line_id, t.order_id, t.household_id, t.store_id, t.product_id,
        coalesce(p.department, 'UNKNOWN') as department, t.quantity, t.sales_value,
        t.retail_discount + t.coupon_discount + t.coupon_match_discount as discount,
        p.product_id is not null as is_known_product, t.business_date, t.sold_at, t.extracted_at
    from stg_transactions as t left join stg_products as p on t.product_id = p.product_id
"""
NOT_NULL = {
    "stg_transactions": ("transaction_line_id", "order_id", "product_id", "sales_value"),
    "stg_products": ("product_id", "department"),
    "stg_control_totals": ("line_count", "basket_count", "sales_value", "business_date"),
    "int_transaction_lines": ("transaction_line_id", "department", "is_known_product"),
    "fct_orders": ("order_id", "revenue"),
    "daily_revenue": ("order_count", "line_count", "revenue", "sale_date"),
    "daily_department_revenue": ("department_day_id", "revenue"),
    "dim_products": ("product_id",),
    "store_closures": ("closed_on", "reason"),
}
UNIQUE = {
    "stg_transactions": "transaction_line_id",
    "stg_products": "product_id",
    "stg_control_totals": "business_date",
    "int_transaction_lines": "transaction_line_id",
    "fct_orders": "order_id",
    "daily_revenue": "sale_date",
    "daily_department_revenue": "department_day_id",
    "dim_products": "product_id",
    "store_closures": "closed_on",
}
DAY_OF = {
    "stg_transactions": "business_date",
    "fct_orders": "business_date",
    "daily_revenue": "sale_date",
    "daily_department_revenue": "sale_date",
}
CONTROL = ("stg_control_totals", "business_date")
REVENUE = ("daily_revenue", "sale_date")
RECONCILED = (  # table, what of it, with which other table, what of that
    ("stg_transactions", "count(*), count(distinct order_id), sum(sales_value)", CONTROL,
     "sum(line_count), sum(basket_count), sum(sales_value)"),
    ("fct_orders", "count(*), sum(line_count), sum(revenue)",
     ("int_transaction_lines", "business_date"),
     "count(distinct order_id), count(*), sum(sales_value)"),
    ("daily_revenue", "sum(order_count), sum(line_count), sum(revenue)", CONTROL,
     "sum(basket_count), sum(line_count), sum(sales_value)"),
    ("daily_department_revenue", "sum(line_count), sum(revenue)", REVENUE,
     "sum(line_count), sum(revenue)"),
    ("fct_orders", "count(*), sum(line_count), sum(revenue)", REVENUE,
     "sum(order_count), sum(line_count), sum(revenue)"),
)  # fmt: skip


def checks(first: str, end: str) -> list[str]:
    """Queries that give no row if all is right: those of the pipeline, one by one."""
    queries = [
        f"select 1 from {table} where {column} is null"
        for table, columns in NOT_NULL.items()
        for column in columns
    ]
    queries += [
        f"select {column} from {table} where {column} is not null group by 1 having count(*) > 1"
        for table, column in UNIQUE.items()
    ]
    queries.append("select brand from stg_products where brand not in ('National', 'Private')")
    for table, day in DAY_OF.items():
        queries.append(
            f"select business_date from stg_control_totals where line_count > 0 "
            f"and {within('business_date', first, end)} "
            f"and business_date not in (select closed_on from store_closures) "
            f"and business_date not in (select distinct {day} from {table})"
        )
    for table, measures, (other, other_day), expected in RECONCILED:
        day = DAY_OF[table]
        one = (
            f"select {day}, {measures} from {table} where {within(day, first, end)} "
            f"group by 1 having count(*) > 0"
        )
        two = (
            f"select {other_day}, {expected} from {other} "
            f"where {within(other_day, first, end)} group by 1"
        )
        queries.append(f"({one} except {two}) union all ({two} except {one})")
    queries.append(
        "select 1 from stg_transactions where cast(sold_at_local as date) != business_date"
    )
    queries.append(
        "select business_date from stg_transactions group by 1 "
        "having max(sold_at_local) < business_date + interval '18 hours'"
    )
    return queries


def within(column: str, first: str, end: str) -> str:
    """The half-open range as a predicate."""
    return f"({column} >= date '{first}' and {column} < date '{end}')"


def main() -> None:
    """Build and check the range."""
    first, end = sys.argv[1:3]
    window = within("business_date", first, end)
    Path("warehouse.duckdb").unlink(missing_ok=True)
    started = time.monotonic()
    with duckdb.connect("warehouse.duckdb") as connection:
        connection.execute(BEFORE)
        connection.execute(LINES.format(window=window))
        connection.execute(JOINED)
        for table, query in ORDERS_AND_DAYS.items():
            connection.execute(f"create table {table} as {query.format(window=window)}")
        for query in checks(first, end):
            bad = connection.execute(query).fetchall()
            if bad:
                sys.exit(f"{query}\ngives {bad[:5]}")
    print(f"engine {time.monotonic() - started:.4f}")


if __name__ == "__main__":
    main()
