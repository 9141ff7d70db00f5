"""What must hold before a new DuckDB is let in: the pattern of every first build."""

import duckdb

ROWS = 1_000_000


def test_a_table_made_and_filled_in_one_transaction_can_be_read_in_it(tmp_path):
    """Create empty, insert many, then aggregate, in one transaction, is right.

    DuckDB 2.0.0 answers wrongly here: min() is NULL and `group by` returns no row until the file
    is opened again, so gates would judge nothing and pass. It is why pyproject.toml says
    ``duckdb >=1.4,<2``; this test passing on a 2.x is what lets that 2.x in.
    """
    path = str(tmp_path / "canary.duckdb")
    groups = "select id % 3 as third, count(*) from t group by 1 order by 1"
    expected = [(0, 333_334), (1, 333_333), (2, 333_333)]
    with duckdb.connect(path) as connection:
        connection.execute("begin")
        connection.execute(f"create table t as select r as id from range({ROWS}) s(r) where false")
        connection.execute(f"insert into t select r from range({ROWS}) s(r)")
        assert connection.execute("select min(id), max(id), count(*) from t").fetchall() == [
            (0, ROWS - 1, ROWS)
        ]
        assert connection.execute(groups).fetchall() == expected
        connection.execute("commit")
        assert connection.execute(groups).fetchall() == expected
    with duckdb.connect(path) as connection:
        assert connection.execute(groups).fetchall() == expected
