"""S1: a cold backfill of the real quarter, 92 windows, checks on, beside every peer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from measuring import Goal, Row, Sheet, Spent, side_by_side
from peers.airflow import DAG, Airflow
from peers.landing import land_real
from peers.peers import QUARTER, Ours, Theirs, answer_of, require_same, row

SAMPLE = 3  # days of who builds one day after another
Measured = tuple[Row, Spent]


def measure(folder: Path, repeats: int) -> Sheet:
    """Everybody from a fresh clone, then everybody with the parse of before."""
    landing = land_real(folder / "landing", QUARTER)
    ours = Ours(folder / "daybreak", landing, QUARTER).set_up()
    mesh = Theirs(folder / "sqlmesh", landing, QUARTER, "sqlmesh_project", "sqlmesh").set_up()
    micro = Theirs(folder / "microbatch", landing, QUARTER, "dbt_project", "dbt").set_up()
    loop = Theirs(folder / "loop", landing, QUARTER, "dbt_project", "dbt").set_up()
    daily = Theirs(folder / "daily", landing, QUARTER, "dbt_project", "dbt").set_up()
    airflow = Airflow(folder / "airflow", daily).set_up()
    floor = Theirs(folder / "script", landing, QUARTER, "", "dbt").set_up()
    answers: dict[str, dict[str, object]] = {}
    of_sample: dict[str, dict[str, object]] = {}

    def first_of_user(name: str, command: str):
        def measured() -> Measured:
            ours.forget(parse=True, cache=True)
            return row(name, command, ours.backfill(), note="nothing of dbt compiled before")

        return measured

    def from_clone(name: str, command: str, peer: Ours | Theirs, act: Callable[[], Spent]):
        def measured() -> Measured:
            peer.forget(parse=True)
            spent = act()
            answers[name] = answer_of(peer.warehouse)
            return row(name, command, spent)

        return measured

    def parsed(name: str, command: str, peer: Ours | Theirs, act: Callable[[], Spent]):
        def measured() -> Measured:
            peer.forget(parse=False)
            return row(name, command, act(), note="parse of before kept")

        return measured

    def sampled(
        name: str, command: str, peer: Theirs, act: Callable[[int], Spent], note: str = "scaled"
    ):
        def measured() -> Measured:
            peer.forget(parse=True)
            spent = act(SAMPLE)
            of_sample[name] = answer_of(peer.warehouse)
            scaled = f"{command} (a sample of {SAMPLE} days, times {QUARTER.days}/{SAMPLE})"
            return row(name, scaled, spent, times=QUARTER.days / SAMPLE, note=note)

        return measured

    backfill = f"runner backfill orders_pipeline {' '.join(QUARTER.dates)}"
    build = "dbt build --event-time-start 2017-03-01 --event-time-end 2017-06-01"
    plan = "sqlmesh plan --auto-apply --no-prompts"
    whole = lambda: micro.dbt_build(QUARTER.first, QUARTER.end)  # noqa: E731
    peers = {
        "script": from_clone("script", "python bench/peers/script.py", floor, floor.script),
        "Daybreak, a user's first": first_of_user("Daybreak, a user's first", backfill),
        "Daybreak": from_clone("Daybreak", backfill, ours, ours.backfill),
        "Daybreak, parsed": parsed("Daybreak, parsed", backfill, ours, ours.backfill),
        "SQLMesh": from_clone("SQLMesh", plan, mesh, mesh.sqlmesh_plan),
        "SQLMesh, parsed": parsed("SQLMesh, parsed", plan, mesh, mesh.sqlmesh_plan),
        "microbatch": from_clone("microbatch", build, micro, whole),
        "microbatch, parsed": parsed("microbatch, parsed", build, micro, whole),
        "shell loop": sampled("shell loop", "for each day: dbt build", loop, loop.shell_loop),
        "Airflow": sampled(
            "Airflow",
            f"airflow backfill create --dag-id {DAG}",
            daily,
            airflow.backfill,
            note="scaled; from queued to the last success",
        ),
    }
    rows, busy = side_by_side(repeats, peers)
    at = {found.name: found.median for found in rows}
    goals = [
        Goal("of SQLMesh's time, both from a fresh clone", 0.9, at["Daybreak"] / at["SQLMesh"]),
        Goal("of SQLMesh's time, both parsed before", 0.9,
             at["Daybreak, parsed"] / at["SQLMesh, parsed"]),
        Goal("times faster than microbatch, both from a fresh clone", 4,
             at["microbatch"] / at["Daybreak"], is_lower_better=False),
        Goal("times faster than microbatch, both parsed before", 4,
             at["microbatch, parsed"] / at["Daybreak, parsed"], is_lower_better=False),
        Goal("times faster than the shell loop, both from a fresh clone", 60,
             at["shell loop"] / at["Daybreak"], is_lower_better=False),
        Goal("times faster than the shell loop, ours parsed before", 60,
             at["shell loop"] / at["Daybreak, parsed"], is_lower_better=False),
    ]  # fmt: skip
    title = "cold backfill of the real quarter: 92 windows, 371,207 lines, checks on"
    answer = f"{require_same(answers)}; of the sample {require_same(of_sample)}"
    return Sheet("S1", title, rows, goals, answer, busy)
