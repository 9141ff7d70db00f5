"""Landed files go wrong in every way that files do: each day gets its own verdict, alone."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from tests.conftest import Finished, Shop, clone, land

pytestmark = pytest.mark.slow  # all of them stand on one costly morning

FIRST, LAST = "2017-03-01", "2017-05-31"
EVENT_TIMES = {
    "stg_transactions": "business_date",
    "fct_orders": "business_date",
    "daily_revenue": "sale_date",
    "daily_department_revenue": "sale_date",
}
SOME_ROWS = "rows, or evidence that there are none"


def delete(shop: Shop, day: date) -> None:
    shop.landed(day).unlink()


def cut_off(shop: Shop, day: date) -> None:
    content = shop.landed(day).read_bytes()
    shop.landed(day).write_bytes(content[: len(content) // 2])


def cut_to_nothing(shop: Shop, day: date) -> None:
    shop.landed(day).write_bytes(b"")


def empty(shop: Shop, day: date) -> None:
    rewrite(shop, day, "from '{file}' limit 0")


def double(shop: Shop, day: date) -> None:
    rewrite(shop, day, "from '{file}' union all from '{file}'")


def replace_by_another_day(shop: Shop, day: date) -> None:
    shutil.copy(shop.landed(day.replace(day=day.day + 3)), shop.landed(day))


def rewrite(shop: Shop, day: date, query: str) -> None:
    """Land what a query makes of the landed file."""
    landed = shop.landed(day)
    unfinished = landed.with_suffix(".unfinished")
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query.format(file=landed)}) to '{unfinished}' (format parquet)")
    unfinished.replace(landed)


@dataclass(frozen=True)
class Fault:
    """A way in which a landed file goes wrong, and what a person expects to hear of it."""

    day: date
    damage: Callable[[Shop, date], None]
    state: str
    says: str  # within the reason
    evidence: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # expected, actual


# What the checks of stg_transactions say; {…} are the figures of control_totals.csv.
NO_ROWS = {
    "rows_in_every_window": (SOME_ROWS, "0 rows"),
    "reconciles_with_control_totals": (
        "line_count {lines}, basket_count {baskets}, sales_value {sales}",
        "line_count 0, basket_count 0, sales_value 0.00",
    ),
}
DOUBLED = {
    "reconciles_with_control_totals": (
        "line_count {lines}, sales_value {sales}",
        "line_count 5908, sales_value 17030.08",
    )
}
STRANGERS = {
    "reconciles_with_control_totals": (
        "line_count {lines}, basket_count {baskets}, sales_value {sales}",
        "line_count 4030, basket_count 441, sales_value 12721.58",
    ),
    "belong_to_their_file": (
        "every row of its own business_date",
        "4030 rows of 2017-05-08 to 2017-05-08",
    ),
}


# Side by side, so that what is cut apart again is little: these tests are minutes as it is.
FAULTS = {
    "first day cut off": Fault(
        date(2017, 3, 1), cut_off, "failed", "2017-03-01.parquet was cut off"
    ),
    "emptied": Fault(date(2017, 4, 10), empty, "incorrect", SOME_ROWS, NO_ROWS),
    "doubled": Fault(date(2017, 4, 11), double, "incorrect", "line_count 2954", DOUBLED),
    "deleted": Fault(date(2017, 4, 12), delete, "incorrect", SOME_ROWS, NO_ROWS),
    "another day's rows": Fault(
        date(2017, 5, 5), replace_by_another_day, "incorrect", "line_count 4226", STRANGERS
    ),
    "cut off": Fault(date(2017, 5, 6), cut_off, "failed", "2017-05-06.parquet was cut off"),
    "zero bytes": Fault(
        date(2017, 5, 7), cut_to_nothing, "failed", "2017-05-07.parquet is empty or was cut off"
    ),
}


@dataclass(frozen=True)
class Morning:
    """A shop whose quarter was published, and replayed over damaged files."""

    shop: Shop
    finished: Finished
    runs: Mapping[str, Mapping[str, Any]]  # newest run by label of its window
    hashes: Mapping[str, str]


def control_totals(shop: Shop, day: date) -> dict[str, str]:
    with (shop.landing / "control_totals.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["business_date"] == str(day))
    return {"lines": row["line_count"], "baskets": row["basket_count"], "sales": row["sales_value"]}


def newest_runs(shop: Shop) -> dict[str, dict[str, Any]]:
    listed = shop.runner("list-runs", "orders_pipeline", "--limit", "1000", "--format", "json")
    runs: dict[str, dict[str, Any]] = {}
    for run in json.loads(listed.out):
        runs.setdefault(run["window"], run)
    return runs


@pytest.fixture(scope="module")
def morning(quarter: Shop, tmp_path_factory: pytest.TempPathFactory) -> Morning:
    shop = clone(quarter.folder, tmp_path_factory.mktemp("morning") / "shop")
    for fault in FAULTS.values():
        fault.damage(shop, fault.day)
    finished = shop.backfill(FIRST, LAST, "--reprocess", "all")
    return Morning(shop, finished, newest_runs(shop), shop.hashes())


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_day_gets_the_verdict_that_a_person_expects(morning: Morning, name: str):
    fault = FAULTS[name]
    run = morning.runs[str(fault.day)]
    assert (run["state"], run["ran"]) == (fault.state, fault.state == "incorrect")
    assert fault.says in run["reason"]
    assert "\n" not in run["reason"]
    assert f"{fault.day} ... {fault.state}" in morning.finished.out
    page = morning.shop.runner("show-run", "orders_pipeline", run["run_id"], "--format", "json")
    found = json.loads(page.out)["findings"]
    figures = control_totals(morning.shop, fault.day)
    assert {f["check"]: (f["expected"], f["actual"]) for f in found} == {
        f"stg_transactions_{check}": (expected.format(**figures), actual)
        for check, (expected, actual) in fault.evidence.items()
    }


def test_a_wrong_row_is_shown_with_its_check(morning: Morning):
    day = FAULTS["another day's rows"].day
    page = morning.shop.runner("show-run", "orders_pipeline", morning.runs[str(day)]["run_id"])
    _, _, behind = page.out.partition("rows behind stg_transactions_belong_to_their_file\n")
    rows = [line for line in behind.partition("\n\n")[0].splitlines() if line]
    assert len(rows) == 5
    # The file of the 8th was landed as that of the 5th.
    assert all("business_date 2017-05-05" in row and "sold_at 2017-05-0" in row for row in rows)


def test_the_first_cause_of_a_deleted_file_is_that_it_has_not_landed(morning: Morning):
    day = str(FAULTS["deleted"].day)
    found = morning.shop.runner("why", "daily_revenue", "--window", day, "--format", "json")
    assert found.code == 0, found.err
    told = json.loads(found.out)
    assert told["first_causes"] == ["source.corner_shop.landing.transactions"]
    dates = f"--start-date {day} --end-date {day}"
    assert told["next"] == [f"runner retry orders_pipeline {dates}"]
    nodes = {node["name"]: node for node in told["nodes"]}
    (window,) = nodes["stg_transactions"]["windows"]
    assert (window["status"], window["rows_kept_from"]) == ("incorrect", f"backfill__{day}")
    # Its rows are made from those that stood there before: nobody knows that they are right.
    assert (nodes["daily_revenue"]["state"], nodes["store_closures"]["kind"]) == ("stale", "seed")


def test_the_picture_of_a_day_shows_what_its_models_are(morning: Morning):
    day = str(FAULTS["cut off"].day)
    drawn = morning.shop.runner("dag", "orders_pipeline", "--format", "svg", "--window", day)
    assert drawn.code == 0, drawn.err
    texts = [element.text for element in ElementTree.fromstring(drawn.out).iter() if element.text]  # noqa: S314
    assert f"orders_pipeline, {day}" in texts
    # dbt was asked again for this day after it had failed: its readers kept what they had, which
    # nobody knows to be right.
    found = Counter(text for text in texts if ": ran " in text)
    assert found == {
        "blocked: ran no, correct -": 1,
        "stale: ran yes, correct -": 3,
        "success: ran yes, correct yes": 5,
    }
    assert "first cause" in texts


def test_every_other_day_is_a_success(morning: Morning):
    damaged = {str(fault.day) for fault in FAULTS.values()}
    others = {label: run for label, run in morning.runs.items() if label not in damaged}
    assert len(others) == 92 - len(damaged)
    assert {run["state"] for run in others.values()} == {"success"}
    assert {run["run_id"] for run in others.values()} == {f"backfill__{day}.2" for day in others}


def test_the_totals_and_the_exit_code_tell_of_the_failed_days(morning: Morning):
    assert morning.finished.code == 1
    assert "85 success, 4 incorrect, 3 failed" in morning.finished.out
    assert "Traceback" not in morning.finished.out + morning.finished.err


def test_the_published_rows_of_the_damaged_days_stay(morning: Morning, quarter: Shop):
    assert morning.hashes == quarter.hashes()


def test_the_markers_of_the_damaged_days_stay(morning: Morning, quarter: Shop):
    # The zone is west of Greenwich: the UTC date of a window's start is its local one.
    damaged = ", ".join(f"'{fault.day}'" for fault in FAULTS.values())
    columns = "model, window_start, run_id, fence, row_count, verdict"
    where = f"cast(window_start as date) in ({damaged})"
    kept = f"select {columns} from daybreak_publications where {where} order by all"
    assert morning.shop.query(kept) == quarter.query(kept)


def test_after_the_files_are_mended_only_the_bad_days_run(morning: Morning, quarter: Shop):
    shop = clone(morning.shop.folder, morning.shop.folder.with_name("mended"))
    for fault in FAULTS.values():
        shutil.copy2(quarter.landed(fault.day), shop.landed(fault.day))
    finished = shop.backfill(FIRST, LAST)
    assert finished.code == 0, finished.out
    assert f"{len(FAULTS)} runs queued" in finished.out
    ran = {label for label, run in newest_runs(shop).items() if run["run_id"].endswith(".3")}
    assert ran == {str(fault.day) for fault in FAULTS.values()}
    assert {run["state"] for run in newest_runs(shop).values()} == {"success"}
    assert shop.hashes() == quarter.hashes()


def test_a_first_build_publishes_nothing_of_a_damaged_day(shop: Shop, quarter: Shop):
    alone = date(2017, 3, 4)
    double(shop, alone)
    # A table that has never been built, and its only day is wrong.
    finished = shop.backfill(str(alone), str(alone))
    assert finished.code == 3, finished.out
    assert "0 success, 1 incorrect, 0 failed" in finished.out
    assert not published_tables(shop)

    cut_off(shop, date(2017, 3, 1))
    delete(shop, date(2017, 3, 3))
    replace_by_another_day(shop, date(2017, 3, 5))
    finished = shop.backfill(FIRST, "2017-03-06")
    assert finished.code == 1, finished.out
    assert "2 success, 3 incorrect, 1 failed" in finished.out
    assert published_tables(shop) == set(EVENT_TIMES)
    for table, event_time in EVENT_TIMES.items():
        where = f"{event_time} in ('2017-03-02', '2017-03-06')"
        assert shop.content_hash(table) == quarter.content_hash(table, where), table


def published_tables(shop: Shop) -> set[str]:
    names = shop.query("select table_name from duckdb_tables() where not internal")
    return set(EVENT_TIMES) & {name for (name,) in names}


def test_zero_rows_are_right_on_a_closed_day_and_on_no_other(shop: Shop):
    christmas, day_after = date(2017, 12, 25), date(2017, 12, 26)
    land(shop.landing, date(2017, 12, 24), date(2017, 12, 27))
    assert not shop.landed(christmas).exists()
    delete(shop, day_after)
    finished = shop.backfill("2017-12-24", "2017-12-27")
    assert finished.code == 3, finished.out
    assert f"{christmas} ... success" in finished.out
    assert f"{day_after} ... incorrect" in finished.out
    assert "3 success, 1 incorrect, 0 failed" in finished.out
    for table, event_time in EVENT_TIMES.items():
        published = shop.query(f"select distinct {event_time} from {table} order by 1")
        assert published == [(date(2017, 12, 24),), (date(2017, 12, 27),)], table
        marker = (
            "select cast(window_start as date), row_count, verdict from daybreak_publications "
            f"where model = '{table}' and row_count = 0"
        )
        assert shop.query(marker) == [(christmas, 0, "correct")], table
