"""The macros take a landed file for that of the same date as the runner does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.landed.dates import date_of
from tests.integration.macros_project import Project
from tests.landed_names import MORE, NAMES

InSql = Callable[[Iterable[str]], list[date | None]]


@pytest.fixture(scope="module")
def in_sql(project: Project) -> InSql:
    """Return what says the dates of names in the database."""
    (expression,) = project.render([("landed_date", {"filename": "name"})])

    def dates(names: Iterable[str]) -> list[date | None]:
        with duckdb.connect() as connection:
            connection.execute("create table names (place integer, name varchar)")
            connection.executemany("insert into names values (?, ?)", list(enumerate(names)))
            query = f"select {expression} from names order by place"
            return [found for (found,) in connection.execute(query).fetchall()]

    return dates


@pytest.mark.parametrize("folder", ["", "landing/", "/data/20160101/", "/data/2016-01-01 x/"])
def test_every_name_says_the_same_date_in_sql(in_sql: InSql, folder: str):
    cases = {**NAMES, **MORE}
    assert in_sql(folder + name for name in cases) == list(cases.values())


pieces = st.sampled_from(["2017", "03", "18", "20170318", "-", "/", "=", "d=", ".", "T", "1", "\n"])
some_names = st.lists(st.lists(pieces, max_size=9).map("".join), min_size=1, max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(names=some_names)
def test_any_name_says_the_same_date_in_sql(in_sql: InSql, names: list[str]):
    assert in_sql(names) == [date_of(name) for name in names]
