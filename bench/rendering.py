"""RESULTS.md and its plot, made from the raw times that are kept in bench/results/."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterable

from measuring import RESULTS, Goal, Row, Sheet
from peers.environments import BENCH

VERSIONS = ("dbt-core", "dbt-duckdb", "duckdb", "sqlmesh", "apache-airflow")
BAR = 18  # pixels of a bar, with its gap
WIDE = 420  # pixels of the longest


def render() -> None:
    """Write both."""
    sheets = [Sheet.of(path) for path in sorted(RESULTS.glob("*.json"))]
    if not sheets:
        raise SystemExit("nothing was measured yet: run `make bench`")
    (BENCH / "RESULTS.md").write_text("\n".join(page(sheets)).rstrip() + "\n")
    (BENCH / "results.svg").write_text(plot(sheets))


def page(sheets: Iterable[Sheet]) -> list[str]:
    """The lines of RESULTS.md."""
    sheets = list(sheets)
    lines = [
        "# What was measured",
        "",
        "Written by `make bench` from the raw times in `bench/results/`; ratios are the result,",
        "single times are not. What is compared and where the time goes: [README](README.md).",
        "",
        f"Machine: {sheets[-1].machine}. Versions: {', '.join(versions())}.",
        "",
        "![Ratios that must be reached, and what was](results.svg)",
        "",
        "| | what | must be | is | |",
        "|---|---|---|---|---|",
    ]
    for sheet in sheets:
        for goal in sheet.goals:
            verdict = "reached" if goal.is_reached else "**not reached**"
            lines.append(
                f"| {sheet.scenario} | {goal.what} | {bound(goal)} | {figure(goal.actual)} "
                f"| {verdict} |"
            )
    for sheet in sheets:
        lines += section(sheet)
    return lines


def section(sheet: Sheet) -> list[str]:
    """One scenario: every peer's times."""
    load = (
        f"; **others used up to {sheet.others_busy:.0%} of the machine: rough**"
        if sheet.was_under_load
        else ""
    )
    lines = [
        "",
        f"## {sheet.scenario}: {sheet.title}",
        "",
        f"Taken {sheet.taken_at}{load}. The same answer of all: {sheet.answer}.",
        "",
        "| | command | median | least … most | runs | CPU | memory | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return lines + [line_of(row) for row in sheet.rows]


def line_of(row: Row) -> str:
    """One peer's line."""
    spread = f"{min(row.seconds) * row.times:.2f} … {max(row.seconds) * row.times:.2f} s"
    cpu = f"{statistics.median(row.cpu) * row.times:.2f} s" if row.cpu else ""
    memory = f"{max(row.peak_mb):,.0f} MB" if row.peak_mb else ""
    return (
        f"| {row.name} | `{row.command}` | {row.median:.2f} s | {spread} | {len(row.seconds)} "
        f"| {cpu} | {memory} | {row.note} |"
    )


def bound(goal: Goal) -> str:
    """What must be reached, in words."""
    return f"{'≤' if goal.is_lower_better else '≥'} {goal.limit:g}"


def figure(value: float) -> str:
    """Three digits that say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def versions() -> list[str]:
    """Of the peers, as their constraints say them, and of ours."""
    found = {}
    for name in ("dbt", "sqlmesh", "airflow"):
        path = BENCH / f"constraints-{name}.txt"
        for line in path.read_text().splitlines() if path.exists() else []:
            package, _, version = line.partition("==")
            if package in VERSIONS:
                found.setdefault(package, version)
    commit = subprocess.run(
        ["/usr/bin/env", "git", "rev-parse", "--short", "HEAD"],
        cwd=BENCH, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return [f"{name} {version}" for name, version in found.items()] + [f"Daybreak at {commit}"]


def plot(sheets: list[Sheet]) -> str:
    """A bar for every goal: what share of the allowed was used; right of the line is too much."""
    bars = [(sheet.scenario, goal) for sheet in sheets for goal in sheet.goals]
    shares = [
        goal.actual / goal.limit if goal.is_lower_better else goal.limit / goal.actual
        for _, goal in bars
    ]
    widest = min(max([*shares, 1.0]), 3.0)
    scale, left = WIDE / widest, 330
    height = BAR * len(bars) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + WIDE + 80}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<text x="{left}" y="14">share of what is allowed; at most 1 is reached</text>',
    ]
    for number, ((scenario, goal), share) in enumerate(zip(bars, shares, strict=True)):
        top = 24 + number * BAR
        colour = "#2e7d32" if share <= 1 else "#c62828"
        width = min(share, widest) * scale
        parts += [
            f'<text x="{left - 6}" y="{top + 11}" text-anchor="end">{scenario} {goal.what}</text>',
            f'<rect x="{left}" y="{top}" width="{width:.1f}" height="{BAR - 4}" fill="{colour}"/>',
            f'<text x="{left + width + 4:.1f}" y="{top + 11}">{share:.2f}</text>',
        ]
    line = left + scale
    parts.append(
        f'<line x1="{line:.1f}" y1="20" x2="{line:.1f}" y2="{height - 12}" stroke="#333" '
        'stroke-dasharray="3 3"/>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"
