"""The parts of a proof, without dbt."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml

from runner.core.config import PipelineConfig
from runner.core.errors import EngineError, UsageError
from runner.core.proofs import Property, PropertyResult, Result, verdict_of
from runner.core.windows import Calendar, Grain, Window
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from runner.proving import blame, contents
from runner.proving.comparison import difference
from runner.proving.contents import NO_WINDOW, Buckets
from runner.proving.results import ReplayFinding
from runner.proving.scenarios import Order, scenarios, select_windows
from runner.proving.scope import Relation, ReplayScope, Target
from runner.proving.scratch import Copy, pointed_at, scratch

NEW_YORK = ZoneInfo("America/New_York")
CALENDAR = Calendar(Grain.DAY, NEW_YORK)
DAYS = tuple(CALENDAR.windows(CALENDAR.span_of_dates(date(2026, 3, 6), date(2026, 3, 9))))
SALES = Target("sales", "model.sales", "h", Relation("main", "sales"), '"sold_on"')
TOTALS = Target("totals", "model.totals", "h", Relation("main", "totals"), None)
BUCKETS = Buckets(DAYS, NEW_YORK)


def pipeline(first: date = date(2026, 3, 1), last: date | None = date(2026, 3, 9)) -> Pipeline:
    return Pipeline(
        name="shop",
        config=PipelineConfig(select="sales"),
        calendar=CALENDAR,
        schedule=None,
        nodes=(Node("model.sales", "sales", "model", "incremental", (), Grain.DAY),),
        first=CALENDAR.span_of_dates(first, first).start,
        last=CALENDAR.span_of_dates(last, last).end if last else None,
        project=Project(CALENDAR.zone, {}, {}, ""),
    )


def labels(windows: tuple[Window, ...]) -> list[str]:
    return [window.label[-2:] for window in windows]


def starts(*days: int) -> frozenset[datetime]:
    return frozenset(CALENDAR.labelled(f"2026-03-{day:02}").start for day in days)


# Choosing windows

LATER = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("with_rows", "count", "expected"),
    [
        ((), 3, ["07", "08", "09"]),  # nobody knows which have rows
        ((2, 3, 4, 6, 7), 3, ["02", "03", "04"]),  # the newest three without a gap
        ((2, 3, 4, 6, 7), 2, ["06", "07"]),
        ((2, 4, 6, 7), 3, ["06", "07"]),  # there are no three
        ((5,), 3, ["05"]),
    ],
)
def test_the_newest_windows_with_rows(with_rows: tuple[int, ...], count: int, expected: list[str]):
    assert labels(select_windows(pipeline(), LATER, starts(*with_rows), count, None)) == expected


def test_a_seed_takes_others_and_always_the_same():
    found = [labels(select_windows(pipeline(), LATER, frozenset(), 3, seed)) for seed in range(20)]
    assert len({tuple(chosen) for chosen in found}) > 3
    assert found == [
        labels(select_windows(pipeline(), LATER, frozenset(), 3, s)) for s in range(20)
    ]
    assert all(int(chosen[2]) - int(chosen[0]) == 2 for chosen in found)


def test_only_complete_windows():
    noon = datetime(2026, 3, 4, 17, tzinfo=UTC)
    assert labels(select_windows(pipeline(), noon, frozenset(), 3, None)) == ["01", "02", "03"]
    with pytest.raises(UsageError, match="has no complete window"):
        select_windows(pipeline(first=date(2026, 3, 4)), noon, frozenset(), 3, None)


# Scenarios


def test_every_property_is_tested_over_several_windows():
    made = list(scenarios(DAYS[:3], [("sales",), ("totals",)], 2, seed=0))
    assert {scenario.property for scenario in made} == set(Property)
    orders = {
        tuple(CALENDAR.window_at(step.span.start).label[-2:] for step in scenario.steps)
        for scenario in made
        if scenario.property is Property.COMMUTES
    }
    assert ("08", "07", "06") in orders
    assert len(orders) == 2
    assert ("06", "07", "08") not in orders
    [chunk] = [s.steps for s in made if s.property is Property.ADDITIVE]
    assert [(step.span.start, step.span.end) for step in chunk] == [(DAYS[0].start, DAYS[2].end)]


def test_a_crash_comes_early_and_late():
    [crash] = [s for s in scenarios(DAYS, [("sales",)], 5, 0) if s.property is Property.CRASH_SAFE]
    kills = [(CALENDAR.window_at(s.span.start).label[-2:], s.killed_after) for s in crash.steps]
    assert kills == [("06", 1), ("06", None), ("07", 5), ("07", None), ("08", None), ("09", None)]
    [crash] = [
        s for s in scenarios(DAYS[:1], [("sales",)], 5, 0) if s.property is Property.CRASH_SAFE
    ]
    assert [step.killed_after for step in crash.steps] == [1, 5, None]


def test_one_window_tells_nothing_of_several():
    made = {scenario.property for scenario in scenarios(DAYS[:1], [("sales",)], 1, 0)}
    assert made == {Property.IDEMPOTENT, Property.CRASH_SAFE, Property.DETERMINISTIC}


def test_a_reader_is_built_after_what_it_reads_was_reordered():
    made = scenarios(DAYS[:2], [("sales",), ("totals",)], 2, 0)
    unsure = [one for one in made if one.property is Property.DETERMINISTIC]
    assert [one.order for one in unsure] == [Order.SHUFFLED, Order.REVERSED]
    for one in unsure:
        assert [step.nodes for step in one.steps] == [("sales",), ("totals",)] * 2
        assert {step.order_after for step in one.steps} == {one.order}
        assert one.origin is Copy.BASE


# Buckets


@pytest.mark.parametrize(
    ("read_as", "value", "bucket"),
    [
        ("date", "date '2026-03-08'", 2),
        ("date", "date '2026-03-10'", NO_WINDOW),
        ("date", "cast(null as date)", NO_WINDOW),
        ("utc", "timestamp '2026-03-09 03:59:59'", 2),  # the day of 23 hours
        ("utc", "timestamp '2026-03-09 04:00:00'", 3),
        ("utc", "timestamp '2026-03-06 04:59:59'", NO_WINDOW),
        ("local", "timestamp '2026-03-09 00:00:00'", 3),
        ("local", "timestamp '2026-03-08 23:59:59'", 2),
        ("instant", "timestamptz '2026-03-09 04:00:00+00'", 3),
        ("instant", "timestamptz '2026-03-08 23:59:59-04'", 2),
    ],
)
def test_a_row_lies_in_the_window_of_its_event_time(read_as: str, value: str, bucket: int):
    target = Target("sales", "model.sales", "", Relation("main", "sales"), '"sold_on"', read_as)
    sql = f"select {BUCKETS.of_row(target)} from (select {value} as sold_on)"
    assert duckdb.sql(sql).fetchall() == [(bucket,)]


def test_a_model_without_an_event_time_is_one_bucket():
    assert BUCKETS.of_row(TOTALS) == str(NO_WINDOW)
    assert BUCKETS.label(NO_WINDOW) is None


# Contents


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two warehouses with the same rows in other orders."""
    paths = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    for path, order in zip(paths, ("asc", "desc"), strict=True):
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                "create table sales as select i as sale_id, i % 3 as store_id, i * 1.5 as amount, "
                "if(i = 7, null, 'x') as note, date '2026-03-06' + (i // 4)::int as sold_on "
                f"from range(12) as r(i) order by i {order}"
            )
            connection.execute("create table totals as select 1 as store_id, 2.5 as total")
    return paths


def change(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def differing(files: tuple[Path, Path], target: Target = SALES) -> tuple[int, ...]:
    found = [contents.digests(path, [target], BUCKETS)[target.name] for path in files]
    return contents.differing(*found)


def test_the_order_of_the_rows_does_not_count(files: tuple[Path, Path]):
    assert differing(files) == ()
    assert differing(files, TOTALS) == ()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("update sales set amount = amount + 1 where sale_id = 5", (1,)),
        ("update sales set note = null where sale_id in (0, 11)", (0, 2)),
        ("delete from sales where sale_id = 0", (0,)),
        ("insert into sales from sales where sale_id = 9", (2,)),
        # Twice the same row in place of another: a xor alone would not see two of them.
        ("update sales set sale_id = 1, store_id = 1, amount = 1.5 where sale_id in (2, 3)", (0,)),
        ("update sales set sold_on = date '2026-03-20' where sale_id = 4", (1, NO_WINDOW)),
        ("update sales set sold_on = null where sale_id = 4", (1, NO_WINDOW)),
    ],
)
def test_any_other_row_counts(files: tuple[Path, Path], statement: str, expected: tuple[int, ...]):
    change(files[1], statement)
    assert differing(files) == expected


def test_floats_are_compared_to_the_last_bit(files: tuple[Path, Path]):
    for path, total in zip(
        files, ("0.1::double + 0.2 + 0.3", "0.3::double + 0.2 + 0.1"), strict=True
    ):
        change(path, f"create or replace table totals as select {total} as total")
    assert differing(files, TOTALS) == (NO_WINDOW,)


def test_another_order_on_the_disk_and_the_same_contents(tmp_path: Path):
    path = tmp_path / "a.duckdb"
    change(
        path,
        "create table t (i int primary key, j int)",
        "insert into t select i, 2 from range(50) r(i)",
    )
    contents.shuffle(path, None, seed=3)
    with duckdb.connect(str(path)) as connection:
        rows = [i for (i,) in connection.execute("select i from t").fetchall()]
        with pytest.raises(duckdb.ConstraintException):
            connection.execute("insert into t values (7, 7)")
    assert rows != list(range(50))
    assert sorted(rows) == list(range(50))


def rows_of(path: Path) -> list[int]:
    with duckdb.connect(str(path)) as connection:
        return [i for (i,) in connection.execute("select i from t").fetchall()]


def test_what_was_made_from_reversed_rows_is_not_turned_round_once_more(tmp_path: Path):
    reference, work = tmp_path / "reference.duckdb", tmp_path / "work.duckdb"
    rows = "create table t as select i, i % 2 as j from range(9) r(i)"
    change(reference, rows)
    for made in (f"{rows} order by i", f"{rows} order by i desc", f"{rows} order by hash(i)"):
        work.unlink(missing_ok=True)
        change(work, made)
        contents.reverse(work, None, reference)
        assert rows_of(work) == [*range(8, -1, -1)]
    # What the reference does not have stays as it lies, behind the others.
    change(work, "insert into t values (50, 1), (40, 0), (8, 0)")
    contents.reverse(work, [Relation("main", "t")], reference)
    assert rows_of(work) == [8, 8, *range(7, -1, -1), 50, 40]
    change(work, "create table only_here as select 1 as i")
    contents.reverse(work, None, reference)


def test_a_single_tie_changes_places_when_rows_are_reversed(tmp_path: Path):
    """Shuffled, two rows have one chance in two to lie as they did."""
    reference, work = tmp_path / "reference.duckdb", tmp_path / "work.duckdb"
    for first in range(6):
        for path in (reference, work):
            path.unlink(missing_ok=True)
            change(path, f"create table t as select * from (values ({first}), ({first + 1})) r(i)")
        contents.reverse(work, None, reference)
        assert rows_of(work) == [first + 1, first]


def test_only_what_is_read_is_copied_and_the_markers_are_asked(tmp_path: Path):
    real, copy = tmp_path / "real" / "w.duckdb", tmp_path / "copy" / "w.duckdb"
    for path in (real, copy):
        path.parent.mkdir()
    change(
        real,
        "create schema raw",
        'create table raw."Odd one" as select 1 as i',
        "create table secret as select 2 as i",
        "create table daybreak_publications (model varchar, window_start timestamp, row_count int)",
        "insert into daybreak_publications values ('sales', '2026-03-06 05:00:00', 3), "
        "('sales', '2026-03-07 05:00:00', 0), ('other', '2026-03-08 05:00:00', 9)",
    )
    before = real.read_bytes()
    read = {"a": Relation("raw", "Odd one"), "b": Relation("raw", "not there")}
    copied = contents.copy_tables(real, copy, read, ["sales"])
    assert copied.present == {"a"}
    assert copied.starts == {datetime(2026, 3, 6, 5, tzinfo=UTC)}
    with duckdb.connect(str(copy)) as connection:
        assert connection.execute("select * from duckdb_tables()").fetchall()
        names = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert names == [("Odd one",)]
    assert real.read_bytes() == before
    assert [path.name for path in real.parent.iterdir()] == ["w.duckdb"]


def test_what_a_killed_writer_left_in_its_log_is_read_and_left_there(tmp_path: Path):
    real = tmp_path / "w.duckdb"
    crash = (
        "import duckdb, os; made = duckdb.connect('w.duckdb'); made.execute('create table t as "
        "select 1 as i'); made.execute('checkpoint'); made.execute('insert into t values (2)'); "
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", crash], cwd=tmp_path, check=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"w.duckdb", "w.duckdb.wal"}
    copy = tmp_path / "copy" / "w.duckdb"
    copy.parent.mkdir()
    contents.copy_tables(real, copy, {"t": Relation("main", "t")}, [])
    with duckdb.connect(str(copy)) as connection:
        assert connection.execute("select i from t order by i").fetchall() == [(1,), (2,)]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_what_duckdb_refuses_is_one_clear_line(tmp_path: Path):
    (tmp_path / "a.duckdb").write_text("no database")
    with pytest.raises(EngineError, match=r"cannot be compared .* run the same command again"):
        contents.digests(tmp_path / "a.duckdb", [SALES], BUCKETS)


# Comparing


def compared(files: tuple[Path, Path], target: Target = SALES):
    return difference(*files, target, BUCKETS, differing(files, target))


def test_a_changed_column_is_named_and_rows_stand_side_by_side(files: tuple[Path, Path]):
    change(files[1], "update sales set note = 'y' where store_id = 1")
    found = compared(files)
    assert (found.where, found.others) == ("2026-03-06", 2)
    assert (found.expected_rows, found.found_rows) == (4, 4)
    assert found.columns == ("note",)
    day = date(2026, 3, 6)
    assert found.sample == (((1, 1, Decimal("1.5"), "x", day), (1, 1, Decimal("1.5"), "y", day)),)


def test_swapped_values_are_seen_although_each_column_holds_the_same(files: tuple[Path, Path]):
    change(files[1], "update sales set amount = 1.5 - amount where sale_id in (0, 1)")
    found = compared(files)
    assert found.columns == ("amount",)
    assert [(expected[0], other[0]) for expected, other in found.sample] == [(0, 0), (1, 1)]


def test_rows_too_many_stand_alone(files: tuple[Path, Path]):
    change(files[1], "insert into sales from sales where sale_id < 3")
    found = compared(files)
    assert (found.expected_rows, found.found_rows, found.columns) == (4, 7, ())
    assert [(expected, other[0]) for expected, other in found.sample] == [
        (None, i) for i in range(3)
    ]


def test_no_more_than_five_are_shown(files: tuple[Path, Path]):
    for path in files:
        change(
            path,
            "insert into sales select i, 0, 1, 'x', date '2026-03-06' from range(90, 120) r(i)",
        )
    change(files[1], "update sales set amount = 9 where sale_id >= 90")
    assert len(compared(files).sample) == 5
    change(files[1], "delete from sales where sale_id >= 90")
    assert len(compared(files).sample) == 5


def test_everything_changed_in_one_row(files: tuple[Path, Path]):
    change(files[1], "update totals set store_id = 2, total = 7.5")
    found = compared(files, TOTALS)
    assert found.where is None
    assert found.columns == ("store_id", "total")


def test_a_column_that_is_meant_to_differ_is_left_out(files: tuple[Path, Path]):
    change(files[1], "update sales set note = 'y' where store_id = 1")
    apart = replace(SALES, volatile=("note", "no_such_column"))
    assert differing(files, apart) == ()
    change(files[1], "update sales set amount = 9 where sale_id = 0")
    assert len(differing(files, apart)) == 1
    shown = compared(files, apart)
    assert shown.columns == ("amount",)
    assert "note" not in shown.header


def test_another_column_is_a_difference(files: tuple[Path, Path]):
    change(files[1], "alter table totals add column more int")
    found = compared(files, TOTALS)
    assert (found.columns, found.sample) == (("more",), ())


# Judging


def scene(**upstream: frozenset[str]) -> ReplayScope:
    targets = tuple(
        Target(
            name, f"model.{name}", "h", Relation("main", name), None if name == "plain" else "day"
        )
        for name in upstream
    )
    return ReplayScope(targets, upstream, (), {}, (), {}, {}, {}, {}, {}, upstream)


def test_nobody_is_blamed_for_what_he_was_given():
    made = scene(
        sales=frozenset(), daily=frozenset({"sales"}), weekly=frozenset({"sales", "daily"})
    )
    findings = [
        ReplayFinding(name, Property.COMMUTES, "run in reverse order")
        for name in ("sales", "weekly")
    ] + [ReplayFinding("daily", Property.ADDITIVE, "run as one chunk", error="no such column")]
    found = blame.outcomes(made, findings, dict.fromkeys(made.upstream, 3))
    assert found["sales"][Property.COMMUTES].result is Result.FAILED
    assert found["weekly"][Property.COMMUTES] == PropertyResult(
        Result.NOT_APPLICABLE, "sales, which it is made from, failed it", is_open=True
    )
    assert found["daily"][Property.COMMUTES].result is Result.PASSED  # the same in spite of it
    assert found["daily"][Property.ADDITIVE].reason == (
        "run as one chunk, it could not be built: no such column"
    )
    assert [f.model for f in blame.blamed(findings, found)] == ["sales", "daily"]
    verdicts = [verdict_of(outcomes) for outcomes in found.values()]
    assert verdicts == ["disproved", "disproved", "unproved"]


@pytest.mark.parametrize(
    ("error", "is_open"),
    [
        ("IO Error: Could not set lock on file: Conflicting lock is held", True),
        ("Out of Memory Error: failed to allocate data", True),
        ("Binder Error: Referenced column not found", False),
        (None, False),  # built, and other rows than before
    ],
)
def test_a_failure_that_passes_by_itself_is_no_disproof(error: str | None, is_open: bool):
    made = scene(sales=frozenset())
    finding = ReplayFinding("sales", Property.IDEMPOTENT, "run a second time", error=error)
    found = blame.outcomes(made, [finding], {"sales": 3})["sales"]
    outcome = found[Property.IDEMPOTENT]
    result = Result.NOT_APPLICABLE if is_open else Result.FAILED
    assert (outcome.result, outcome.is_open) == (result, is_open)
    assert verdict_of(found) == ("unproved" if is_open else "disproved")
    assert bool(blame.blamed([finding], {"sales": found})) is not is_open


def test_windows_without_rows_prove_nothing():
    made = scene(none=frozenset(), one=frozenset(), plain=frozenset())
    found = blame.outcomes(made, [], {"none": 0, "one": 1, "plain": 3})
    assert {o.result for o in found["none"].values()} == {Result.NOT_APPLICABLE}
    assert [p for p, o in found["one"].items() if o.is_open] == [
        Property.COMMUTES,
        Property.ADDITIVE,
        Property.ISOLATED,
    ]
    assert [p for p, o in found["plain"].items() if o.result is not Result.PASSED] == [
        Property.ISOLATED
    ]
    assert verdict_of(found["plain"]) == "proved"


def test_windows_with_rows_are_counted():
    buckets = {"sales": [0, 2], "totals": [NO_WINDOW]}
    assert blame.windows_with_rows([SALES, TOTALS], buckets, 3) == {"sales": 2, "totals": 3}
    assert blame.windows_with_rows([TOTALS], {"totals": []}, 3) == {"totals": 0}


# The scratch folder

PROFILES = """
shop:
  target: "{{ env_var('TARGET', 'dev') }}"
  outputs:
    dev: {type: duckdb, path: "{{ env_var('SHOP') }}", threads: 2}
    other: {type: postgres, host: db}
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    path = tmp_path / "profiles.yml"
    path.write_text(PROFILES)
    return path


def test_dbt_is_pointed_to_the_copy_and_nothing_else_changes(tmp_path: Path, profiles: Path):
    with scratch(tmp_path / "home", Path("/srv/shop.duckdb"), profiles) as made:
        assert made.work.name == "shop.duckdb"
        text = Path(made.environment["DBT_PROFILES_DIR"], "profiles.yml").read_text()
    expected, found = yaml.safe_load(PROFILES), yaml.safe_load(text)
    expected["shop"]["outputs"]["dev"]["path"] = str(made.work)
    assert found == expected


def test_states_are_kept_and_restored(tmp_path: Path, profiles: Path):
    with scratch(tmp_path / "home", Path("/srv/shop.duckdb"), profiles) as made:
        made.work.write_text("one")
        made.keep(Copy.BASE)
        made.work.write_text("two")
        made.work.with_name("shop.duckdb.wal").write_text("a killed dbt's")
        made.restore(Copy.BASE)
        assert made.work.read_text() == "one"
        assert [path.name for path in made.work.parent.iterdir()] == ["shop.duckdb"]


def test_the_folder_is_removed_whatever_happens(tmp_path: Path, profiles: Path):
    home = tmp_path / "home"
    with pytest.raises(KeyboardInterrupt), scratch(home, Path("shop.duckdb"), profiles):
        raise KeyboardInterrupt
    assert [path.name for path in home.iterdir()] == ["prove.lock"]


def test_leftovers_go_and_a_proof_that_runs_stays(tmp_path: Path, profiles: Path):
    home = tmp_path / "home"
    for name in ("prove-dead", "prove-alive"):
        (home / name).mkdir(parents=True)
    with (home / "prove-alive" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with scratch(home, Path("shop.duckdb"), profiles) as made:
            assert (home / "prove-alive").exists()
            assert not (home / "prove-dead").exists()
            with scratch(home, Path("shop.duckdb"), profiles) as second:
                assert made.folder.exists()
                assert second.folder != made.folder


@pytest.mark.parametrize("attached", ["{path: b.duckdb}", "{path: b.duckdb, read_only: false}"])
def test_an_attached_file_may_only_be_read(attached: str):
    text = "shop: {outputs: {dev: {type: duckdb, path: a.duckdb, attach: [ATTACHED]}}}"
    with pytest.raises(UsageError, match=r"attaches b\.duckdb, which a replay could write"):
        pointed_at(text.replace("ATTACHED", attached), Path("/c.duckdb"))
    read_only = text.replace("ATTACHED", "{path: b.duckdb, read_only: true}")
    assert "/c.duckdb" in pointed_at(read_only, Path("/c.duckdb"))


def test_profiles_that_are_no_yaml_are_one_clear_line():
    with pytest.raises(UsageError, match=r"profiles\.yml cannot be read .*: mend it"):
        pointed_at("shop: {{ what }}: [", Path("/c.duckdb"))


def test_missing_profiles_are_one_clear_line(tmp_path: Path):
    with (
        pytest.raises(UsageError, match="a replay needs dbt's profile"),
        scratch(tmp_path, Path("shop.duckdb"), tmp_path / "none.yml"),
    ):
        pass
