"""`runner prove` on real windows: what cannot be replayed is caught, and nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY, Shop
from tests.faults.bakery import Bakery, until
from tests.gallery.proofs import (
    HOURLY,
    NOT_BUILT,
    by_model,
    confusion,
    failed,
    hang,
    must_fail,
    proved,
)

pytestmark = pytest.mark.slow  # whole galleries are replayed


def digest(shop: Shop) -> str:
    return hashlib.sha256(shop.warehouse.read_bytes()).hexdigest()


def leftovers(shop: Shop) -> list[str]:
    return [path.name for path in (shop.folder / ".daybreak").glob("prove-*")]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A gallery whose correct models are published in a warehouse of its own."""
    shop = hang(tmp_path_factory.mktemp("gallery"))
    built = shop.dbt("build", "-q", "--select", "path:seeds", "path:correct")
    assert built.code == 0, built.out
    return shop


@pytest.fixture(scope="module")
def before(gallery: Shop) -> str:
    """The warehouse as it was before anything was proved."""
    return digest(gallery)


@pytest.fixture(scope="module")
def broken(gallery: Shop, before: str) -> dict[str, Any]:
    assert before
    return proved(gallery, "broken")


@pytest.fixture(scope="module")
def correct(gallery: Shop, before: str) -> list[dict[str, Any]]:
    assert before
    return [proved(gallery, "correct"), proved(gallery, *HOURLY)]


def test_one_model_of_each_kind_is_proved_and_disproved(gallery: Shop, before: str):
    bad = proved(gallery, "broken", "--select", "wall_clock")
    good = proved(gallery, "correct", "--select", "sales")
    found = by_model(bad, good)
    assert failed(found["wall_clock"]) == must_fail("broken")["wall_clock"]
    assert found["sales"]["verdict"] == "proved"
    assert (bad["code"], good["code"]) == (3, 0)
    assert digest(gallery) == before
    assert leftovers(gallery) == []


# Whole galleries


def test_every_broken_model_fails_what_its_header_says(broken: dict[str, Any]):
    found = by_model(broken)
    expected = {name: fails for name, fails in must_fail("broken").items() if fails}
    assert len(expected) >= 50
    assert {name: failed(found[name]) for name in expected} == expected
    assert broken["code"] == 3


def test_every_correct_model_is_proved(correct: list[dict[str, Any]]):
    found = by_model(*correct)
    assert set(found) == must_fail("correct").keys()
    assert not any(must_fail("correct").values())
    assert {name: model["verdict"] for name, model in found.items()} == dict.fromkeys(
        found, "proved"
    )
    results = {p["result"] for model in found.values() for p in model["properties"].values()}
    not_tested = {n for n, m in found.items() if m["properties"]["isolated"]["result"] != "pass"}
    assert (results, not_tested) == ({"pass", "n/a"}, {"fixed_predicate"})  # it has no windows
    assert [record["code"] for record in correct] == [0, 0]


def test_what_a_replay_cannot_see_is_left_to_lint(
    broken: dict[str, Any], correct: list[dict[str, Any]]
):
    shown = confusion(by_model(broken, *correct))
    print(shown)  # noqa: T201 - to be read with pytest -s
    counts = [line.split("|") for line in shown.splitlines()[2:4]]
    (caught, missed), of_correct = [[int(cell) for cell in row[1:]] for row in counts]
    assert of_correct == [0, len(must_fail("correct"))]
    unseen = [name for name, fails in must_fail("broken").items() if not fails]
    assert unseen == ["age_of_one", "age_today", "estimated_median"]
    assert caught + missed == len(must_fail("broken"))
    assert missed <= len(unseen)  # fewer, if midnight was in between
    not_built = [fails for fails in must_fail("broken").values() if fails == {NOT_BUILT}]
    page = (REPOSITORY / "docs" / "proving.md").read_text()
    disproved = caught + missed - len(unseen) - len(not_built)
    assert f"{disproved} of {caught + missed} broken models are disproved" in page
    assert f"{len(not_built)} are named" in page
    assert f"all {of_correct[1]} correct ones are proved" in page


def test_who_runs_a_window_is_another_each_time(broken: dict[str, Any]):
    failures = {(f["model"], f["property"]): f for f in broken["failures"]}
    signed = failures["signed_by_run", "idempotent"]
    assert signed["columns"] == ["written_by"]
    (first,) = {pair["expected"]["written_by"] for pair in signed["sample"]}
    (second,) = {pair["found"]["written_by"] for pair in signed["sample"]}
    assert first != second
    assert first.startswith("prove__")
    assert second.startswith("prove__")


def test_a_failure_shows_the_columns_and_the_rows_side_by_side(broken: dict[str, Any]):
    failures = {(f["model"], f["property"]): f for f in broken["failures"]}
    clock = failures["wall_clock", "idempotent"]
    assert clock["window"] == "2026-03-04"
    assert clock["other_windows"] == 2
    assert clock["columns"] == ["loaded_at"]
    assert len(clock["sample"]) == 5
    for pair in clock["sample"]:
        assert pair["expected"].pop("loaded_at") != pair["found"].pop("loaded_at")
        assert pair["expected"] == pair["found"]
    appended = failures["append_strategy", "idempotent"]
    assert (appended["expected_rows"], appended["found_rows"]) == (24, 48)
    assert [pair["expected"] for pair in appended["sample"]] == [None] * 5
    unsure = failures["row_number_without_order", "deterministic"]
    assert unsure["columns"] == ["line_number"]


def test_the_newest_windows_with_rows_are_taken(broken: dict[str, Any]):
    assert broken["windows"] == ["2026-03-04", "2026-03-05", "2026-03-06"]


@pytest.mark.usefixtures("broken", "correct")
def test_the_real_warehouse_and_the_real_runs_are_left_alone(gallery: Shop, before: str):
    assert digest(gallery) == before
    assert leftovers(gallery) == []
    ledger = sqlite3.connect(gallery.folder / ".daybreak" / "ledger.db")
    assert ledger.execute("select count(*) from runs").fetchone() == (0,)
    assert ledger.execute("select count(*) from model_windows").fetchone() == (0,)
    ledger.close()


@pytest.mark.usefixtures("broken", "correct")
def test_what_is_proved_is_remembered_by_code(gallery: Shop):
    planned = json.loads(gallery.runner("plan", "broken", "--format", "json").out)
    verdicts = {name: found["verdict"] for name, found in planned["proofs"].items()}
    assert verdicts["sales"] == "proved"
    assert verdicts["whole_history"] == "disproved"
    assert planned["proofs"]["running_total"]["failed"] == ["idempotent", "commutes"]
    assert "10 disproved" not in gallery.runner("list").out.splitlines()[3]
    path = gallery.folder / "correct" / "ordered_list.sql"
    text = path.read_text()
    path.write_text(text.replace("max(line_id)", "min(line_id)"))
    try:
        changed = gallery.runner("plan", "correct", "--all").out
    finally:
        path.write_text(text)
    assert "; ordered_list unproved" in changed
    assert "share_of_day proved" in changed


@pytest.mark.usefixtures("broken", "correct")
def test_what_is_disproved_is_not_backfilled(gallery: Shop, tmp_path: Path):
    shutil.copytree(gallery.folder.parent.parent, tmp_path, dirs_exist_ok=True)
    shop = Shop(tmp_path / "tests" / "gallery")
    dates = ("--start-date", "2026-03-01", "--end-date", "2026-03-01")
    asked = ("backfill", "broken", "--select", "sales whole_history", *dates)
    refused = shop.runner(*asked)
    assert refused.code == 2, refused.out
    assert (
        "whole_history is not safe to replay, disproved by replaying it, idempotent, commutes, "
        "additive failed over 2026-03-04 … 2026-03-06: mend it" in refused.err
    )
    assert json.loads(shop.runner("list-runs", "broken", "--format", "json").out) == []
    allowed = shop.runner(*asked, "--allow-unsafe", "whole_history")
    assert allowed.code == 3, allowed.err  # it has no checks
    run = json.loads(
        shop.runner("show-run", "broken", "backfill__2026-03-01", "--format", "json").out
    )
    assert run["allowed_unsafe"] == [
        {"model": "whole_history", "reason": "disproved by replaying it"}
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("broken", "--select", "wall_clok"), "Did you mean 'wall_clock'?"),
        (("broken", "--select", "till_lines"), "till_lines is not incremental"),
        (("brokn",), "Did you mean 'broken'?"),
        (("broken", "--as-of", "2026-03-01"), "has no complete window"),
    ],
)
def test_bad_input_is_one_line(gallery: Shop, arguments: tuple[str, ...], words: str):
    finished = gallery.runner("prove", *arguments)
    assert (finished.code, finished.out) == (2, "")
    assert words in finished.err
    assert len(finished.err.strip().splitlines()) == 1


def test_an_attached_file_that_could_be_written_is_refused(gallery: Shop):
    profiles = gallery.folder / "profiles.yml"
    text = profiles.read_text()
    attached = "type: duckdb\n      attach: [{path: data/other.duckdb, alias: other}]"
    profiles.write_text(text.replace("type: duckdb", attached))
    try:
        finished = gallery.runner("prove", "correct")
    finally:
        profiles.write_text(text)
    assert finished.code == 2
    assert "attaches data/other.duckdb, which a replay could write" in finished.err


def test_a_model_that_cannot_be_built_at_all_is_said(gallery: Shop, before: str):
    path = gallery.folder / "correct" / "numbered_lines.sql"
    text = path.read_text()
    path.write_text(text.replace("line_id,\n", "line_idd,\n"))
    try:
        finished = gallery.runner("prove", "correct", "--select", "numbered_lines")
    finally:
        path.write_text(text)
    assert finished.code == 1
    assert "numbered_lines cannot be built even once, so nothing can be proved" in finished.err
    assert leftovers(gallery) == []
    assert digest(gallery) == before


def test_what_cannot_be_built_is_named_and_ends_no_other_proof(gallery: Shop, before: str):
    texts = {}
    for name in ("numbered_lines", "store_revenue"):
        path = gallery.folder / "correct" / f"{name}.sql"
        texts[path] = path.read_text()
        path.write_text(texts[path].replace("sold_on\nfrom", f"sold_on, {name}_x\nfrom"))
    try:
        models = "numbered_lines store_revenue share_of_day ordered_list"
        record = proved(gallery, "correct", "--select", models)
    finally:
        for path, text in texts.items():
            path.write_text(text)
    assert record["code"] == 3
    assert record["not_built"].keys() == {"numbered_lines", "store_revenue"}
    for name, why in record["not_built"].items():
        assert f"{name}_x" in why
    found = by_model(record)
    verdicts = {name: model["verdict"] for name, model in found.items()}
    assert verdicts == {
        **dict.fromkeys(("numbered_lines", "store_revenue", "share_of_day"), "unproved"),
        **dict.fromkeys(("ordered_list", "sales"), "proved"),
    }
    reason = found["share_of_day"]["properties"]["commutes"]["reason"]
    assert reason == "store_revenue, which it is made from, cannot be built"
    assert 'runner prove correct --select "numbered_lines store_revenue"' in record["next"]
    assert leftovers(gallery) == []
    assert digest(gallery) == before


@pytest.fixture
def stopped(gallery: Shop) -> Iterator[Bakery]:
    """The same gallery, started as a terminal starts it."""
    bakery = Bakery(gallery.folder)
    yield bakery
    for pid in bakery.processes():
        until(lambda pid=pid: pid not in bakery.processes(), f"end of {pid}")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_stopped_in_the_middle_nothing_is_left(
    stopped: Bakery, before: str, number: signal.Signals
):
    process = stopped.start("prove", "correct", "--select", "sales")
    until(lambda: reference_of(stopped.folder), "the first scenario", process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert leftovers(stopped) == []
    assert digest(stopped) == before


def test_what_a_killed_proof_left_is_removed_by_the_next(stopped: Bakery, before: str):
    process = stopped.start("prove", "correct", "--select", "sales")
    until(lambda: reference_of(stopped.folder), "the first scenario", process)
    process.kill()
    process.communicate(timeout=60)
    [left] = leftovers(stopped)
    until(lambda: not stopped.processes(), "the end of its dbt")
    again = proved(stopped, "correct", "--select", "sales", "--windows", "1")
    assert again["code"] == 3  # one window says nothing about their order
    assert left
    assert leftovers(stopped) == []
    assert digest(stopped) == before


def reference_of(folder: Path) -> list[Path]:
    return list((folder / ".daybreak").glob("prove-*/reference/*.duckdb"))


def test_the_demo_is_proved(shop: Shop):
    """Over landed files, nothing published yet: three days of real till lines."""
    record = proved(shop, "orders_pipeline", "--as-of", "2017-03-04")
    assert record["windows"] == ["2017-03-01", "2017-03-02", "2017-03-03"]
    assert {model["model"] for model in record["models"]} == {
        "stg_transactions",
        "fct_orders",
        "daily_revenue",
        "daily_department_revenue",
    }
    found = {p["result"] for m in record["models"] for p in m["properties"].values()}
    assert (record["code"], found) == (0, {"pass"}), record["failures"]
    assert not shop.warehouse.exists()
