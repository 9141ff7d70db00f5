"""dbt's microbatch models, as they are, built by the runner: their batches are windows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from runner.adopt.changes import write_changes
from runner.adopt.install import missing_pieces
from tests.integration.test_init import Adopted, adopted, copied

HOURS = ("microbatch_hour", "--start-date", "2026-01-31", "--end-date", "2026-02-01")
DAYS = ("microbatch", "--start-date", "2026-01-29", "--end-date", "2026-02-05")
MONTHS = ("microbatch_month", "--start-date", "2026-01-01", "--end-date", "2026-02-28")
PLAIN = {
    "config.batch_size:hour": ("2026-01-31T20:00:00", "2026-02-02"),
    "config.batch_size:day": ("2026-01-29", "2026-02-06"),
    "config.batch_size:month": ("2026-01-01", "2026-03-01"),
}
pytestmark = pytest.mark.slow
SEED = Path("seeds") / "raw_orders.csv"


@pytest.fixture
def shop(tmp_path: Path) -> Adopted:
    """The project with our macros and pipelines, as `runner init` writes them."""
    found = copied("microbatch", tmp_path / "microbatch")
    write_changes(missing_pieces(found.folder, None), found.folder)
    (found.folder / "pipelines.yml").write_text(
        'pipelines:\n  microbatch: {select: "+revenue_by_day", schedule: "0 5 * * *"}\n'
    )
    return found


def built_plainly(folder: Path) -> Adopted:
    plain = copied("microbatch", folder)
    _run_plainly(plain)
    return plain


def _run_plainly(plain: Adopted) -> None:
    assert plain.dbt("seed").code == plain.dbt("run", "--select", "stg_orders").code == 0
    for select, (start, end) in PLAIN.items():
        span = ("--event-time-start", start, "--event-time-end", end)
        done = plain.dbt("run", "--select", select, *span)
        assert done.code == 0, done.out


def spoil(shop: Adopted, day: str) -> str:
    """Let the first order of a day have no number for its amount; return the seed as it was."""
    path = shop.folder / SEED
    before = path.read_text()
    path.write_text(re.sub(rf"(?m)^(\d+,{day} [\d:]+),.*", r"\1,x", before, count=1))
    return before


def states(shop: Adopted) -> dict[str, str]:
    """The verdict of each published day."""
    rows = shop.query(
        "select strftime(window_start, '%Y-%m-%d'), verdict from daybreak_publications"
        " where model = 'revenue_by_day' order by 1"
    )
    return dict(rows)


def fences(shop: Adopted) -> dict[str, int]:
    rows = shop.query(
        "select strftime(window_start, '%Y-%m-%d'), fence from daybreak_publications"
        " where model = 'revenue_by_day' order by 1"
    )
    return dict(rows)


@pytest.mark.parametrize("engine", ["warm", "plain"])
def test_hours_days_and_months_are_what_dbt_makes_of_them(tmp_path: Path, engine: str):
    plain = built_plainly(tmp_path / "plain")
    shop = adopted("microbatch", tmp_path / "microbatch")
    for asked, count in ((DAYS, 8), (HOURS, 28), (MONTHS, 2)):
        done = shop.runner("backfill", *asked, "--engine", engine)
        assert (done.code, f"{count} success" in done.out) == (0, True), done.out + done.err
        again = shop.runner("backfill", *asked, "--engine", engine)
        assert (again.code, "nothing to do" in again.out) == (0, True), again.out
        assert shop.runner("verify", asked[0]).code == 0
    assert shop.tables() == plain.tables()
    why = shop.runner("why", "revenue_by_day", "--window", "2026-02-01")
    assert "success (ran: yes, correct: yes)" in why.out


def test_a_broken_day_costs_that_day_and_is_tried_again_alone(shop: Adopted):
    good = spoil(shop, "2026-02-01")
    done = shop.runner("backfill", *DAYS)
    assert (done.code, "7 success, 0 incorrect, 1 failed" in done.out) == (1, True), done.out
    assert 'revenue_by_day: Conversion Error: Could not convert string "x"' in done.out
    days = states(shop)
    assert "2026-02-01" not in days
    assert set(days.values()) == {"correct"}  # judged, although dbt skips the tests of such a model
    assert len(set(fences(shop).values())) == 1
    blocked = shop.runner("backfill", *DAYS)
    assert "0 runs queued: nothing to do" in blocked.out

    (shop.folder / SEED).write_text(good)
    mended = shop.runner("backfill", *DAYS)
    assert "1 run queued (one per day) 2026-02-01" in mended.out
    assert (mended.code, "1 success" in mended.out) == (0, True), mended.out
    assert set(states(shop)) == {*days, "2026-02-01"}


def test_a_first_day_that_is_broken_costs_no_other_and_days_that_all_are_are_not_tried_one_by_one(
    shop: Adopted,
):
    good = spoil(shop, "2026-01-29")  # dbt skips the other batches
    done = shop.runner("backfill", *DAYS)
    assert "7 success, 0 incorrect, 1 failed" in done.out, done.out
    (shop.folder / SEED).write_text(good)
    model = shop.folder / "models" / "marts" / "revenue_by_day.sql"
    model.write_text(model.read_text().replace("sum(amount)", "sum(amuont)"))
    done = shop.runner("backfill", *DAYS, "--reprocess", "all")
    assert "0 success, 0 incorrect, 8 failed" in done.out, done.out
    assert len(states(shop)) == 7  # what is published stays


def test_days_that_are_gone_are_not_called_a_success(shop: Adopted):
    assert shop.runner("backfill", *DAYS).code == 0
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute("delete from revenue_by_day where order_date = '2026-02-03'")
    found = shop.runner("backfill", *DAYS)
    assert "2026-02-03: revenue_by_day is stale: its rows are not those" in found.out, found.out
    again = shop.runner("backfill", *DAYS, "--reprocess", "stale")
    assert "1 run queued (one per day) 2026-02-03" in again.out
    # Nor days that a plain dbt has left out.
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute("drop table revenue_by_day")
    span = ("--event-time-start", "2026-02-02", "--event-time-end", "2026-02-04")
    assert shop.dbt("run", "--select", "revenue_by_day", *span).code == 0
    found = shop.runner("backfill", *DAYS)
    for days in ("2026-01-29 … 2026-02-01", "2026-02-04 … 2026-02-05"):
        assert f"{days}: revenue_by_day is stale: its rows are not those" in found.out, found.out
    assert shop.runner("backfill", *DAYS, "--reprocess", "stale").code == 0
    assert shop.query("select count(*) from revenue_by_day") == [(8,)]
    assert shop.runner("verify", "microbatch").code == 0


def test_a_day_that_a_plain_dbt_has_built_with_other_code_is_no_success(shop: Adopted):
    assert shop.runner("backfill", *DAYS).code == 0
    model = next((shop.folder / "models").rglob("revenue_by_day.sql"))
    before, rows = model.read_text(), shop.tables()
    model.write_text(before.replace("sum(amount)", "5 * sum(amount)"))
    assert model.read_text() != before
    span = ("--event-time-start", "2026-02-02", "--event-time-end", "2026-02-03")
    assert shop.dbt("run", "--select", "revenue_by_day", *span).code == 0
    model.write_text(before)
    assert shop.tables() != rows
    found = shop.runner("backfill", *DAYS)
    assert "2026-02-02: revenue_by_day is stale: its rows are not those" in found.out, found.out
    assert shop.runner("backfill", *DAYS, "--reprocess", "stale").code == 0
    assert shop.tables() == rows


def test_what_is_published_when_dbt_is_killed_between_batches_stays(shop: Adopted):
    # It dies each time when so many of its nodes have ended, a batch among them.
    killed = Adopted(shop.folder, {"DAYBREAK_CRASH": "node-finished:7"})
    done = killed.script("backfill", *DAYS)
    found = fences(shop)
    assert 2 < len(found) <= 8, done.out + done.err
    assert len(set(found.values())) > 1  # went on with what was left, in a second invocation
    assert shop.runner("backfill", *DAYS).code == 0
    after = fences(shop)
    assert len(after) == 8
    assert {day: after[day] for day in found} == found
    assert set(states(shop).values()) == {"correct"}


GATES = """
models:
  - name: revenue_by_day
    data_tests:
      - daybreak.rows_in_every_window: {config: {meta: {gate: true}}}
      - dbt.accepted_values: &days
          arguments: {values: ['2026-01-29', '2026-01-30', '2026-01-31', '2026-02-01']}
          name: known_days
          column_name: order_date
          config: {meta: {gate: true}, where: "order_date < '2026-02-03'"}
"""


def test_gates_withhold_their_day_and_later_tests_judge_theirs(shop: Adopted):
    (shop.folder / "models" / "schema.yml").write_text(GATES)
    seed = shop.folder / SEED
    lines = seed.read_text().splitlines(keepends=True)
    seed.write_text("".join(line for line in lines if "2026-01-31" not in line))
    done = shop.runner("backfill", *DAYS)
    assert done.code == 3, done.out + done.err
    assert set(states(shop)) == {
        *("2026-01-29", "2026-01-30", "2026-02-01", "2026-02-03", "2026-02-04", "2026-02-05")
    }
    shown = shop.runner("list-runs", "microbatch", "--format", "json").out
    by_day = {run["window_start"][:10]: run["state"] for run in json.loads(shown)}
    assert by_day["2026-01-31"] == by_day["2026-02-02"] == "incorrect", by_day
    assert by_day["2026-02-01"] == "success"


LATE_ROWS = """
models:
  - name: revenue_by_day
    columns: [{name: order_date, data_tests: [not_null]}]
    data_tests:
      - daybreak.late_rows:
          arguments:
            of: ref('stg_orders')
            event_time: ordered_at
            event_time_as: utc
            loaded_at: >-
              case when cast(ordered_at as date) = '2026-02-03' then now() at time zone 'UTC' end
"""


def test_each_tick_reads_again_as_many_windows_as_the_model_says(shop: Adopted):
    assert shop.runner("backfill", *DAYS[:-1], "2026-02-01").code == 0
    before = fences(shop)
    done = shop.runner("tick", "--as-of", "2026-02-03T06:00:00+00:00")
    assert done.code == 0, done.out + done.err
    # lookback=3: dbt would read the three batches before the one that is not over yet.
    again = {day for day, fence in fences(shop).items() if fence != before.get(day)}
    assert again == {"2026-01-31", "2026-02-01", "2026-02-02"}


def test_its_windows_are_proved_and_late_rows_make_them_stale(shop: Adopted):
    (shop.folder / "models" / "schema.yml").write_text(LATE_ROWS)
    assert "8 success" in shop.runner("backfill", *DAYS).out
    late = shop.runner("backfill", *DAYS).out
    assert re.search(r"1 skipped 2026-02-03: revenue_by_day is stale: .*late rows: 5", late), late
    proved = shop.runner("prove", "microbatch", "--windows", "2", "--format", "json")
    assert proved.code == 0, proved.out + proved.err
    assert json.loads(proved.out)["models"][0]["verdict"] == "proved", proved.out


def test_in_a_plain_build_it_is_dbts_alone(tmp_path: Path, shop: Adopted):
    plain = built_plainly(tmp_path / "plain")
    _run_plainly(shop)
    assert shop.tables() == plain.tables()
    assert shop.query("from duckdb_tables() where starts_with(table_name, 'daybreak')") == []
    texts = [
        {path.relative_to(one.folder): path.read_text() for path in compiled(one.folder)}
        for one in (shop, plain)
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) > 10  # a batch each


def compiled(folder: Path) -> list[Path]:
    return list((folder / "target" / "compiled").rglob("marts/**/*.sql"))


def test_in_another_zone_its_days_are_dbts_own_and_everything_says_so(shop: Adopted):
    settings = shop.folder / "dbt_project.yml"
    settings.write_text(settings.read_text().replace("timezone: UTC", "timezone: Europe/Berlin"))
    (shop.folder / "pipelines.yml").write_text(
        'pipelines:\n  days: {select: "+revenue_by_day"}\n  hours: {select: "+orders_by_hour"}\n'
    )
    planned = shop.runner("plan", "days")
    assert "revenue_by_day is a microbatch, but dbt cuts its days in UTC" in planned.out
    assert "the var timezone to UTC" in planned.out
    told = shop.runner("init", "--dry-run").out
    assert re.search(
        r"not replayable \| revenue_by_day +\| microbatch: built like a table", told
    ), told
    done = shop.runner("backfill", "hours", *HOURS[1:3], "--end-date", "2026-01-31")
    # Whole hours from UTC: the first one is that of 20:00 UTC.
    assert (done.code, "3 success" in done.out) == (0, True), done.out + done.err
