"""A proof as a person reads it: model by property, then how each failure looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.core.proofs import Proof, ProofVerdict, Property, Result
from runner.core.windows import Window
from runner.proving.results import Difference, ProofReport, ReplayFinding, Row
from runner.render.words import counted, table


def proof_page(report: ProofReport) -> str:
    """Everything that a proof has found, and what to do next."""
    return "\n\n".join(_parts(report))


def windows_in_words(windows: tuple[Window, ...]) -> str:
    """The windows that were replayed."""
    first, last = windows[0].label, windows[-1].label
    return first if first == last else f"{first} … {last}"


def proof_record(report: ProofReport) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "pipeline": report.pipeline,
        "windows": [window.label for window in report.windows],
        "models": [
            {
                "model": model,
                "verdict": report.verdicts[model],
                "properties": {
                    tested: {"result": outcome.result, "reason": outcome.reason}
                    for tested, outcome in outcomes.items()
                },
            }
            for model, outcomes in report.outcomes.items()
        ],
        "failures": [_finding_record(finding) for finding in report.findings],
        "left_out": dict(report.left_out),
        "seconds": report.seconds,
        "next": _next(report),
    }


def standing(proof: Proof | None) -> ProofVerdict:
    """What a proof, or none, says of a model's code."""
    return proof.verdict if proof is not None else ProofVerdict.UNPROVED


def standings_in_words(proofs: Mapping[str, Proof | None]) -> str:
    """Which models are proved, and which are not."""
    parts = []
    for verdict in ProofVerdict:
        names = [name for name, proof in proofs.items() if standing(proof) is verdict]
        if names:
            parts.append(f"{', '.join(names)} {verdict}")
    return "; ".join(parts)


def counts_in_words(verdicts: Iterable[str]) -> str:
    """How many models have which verdict.

    >>> counts_in_words(["unproved", "proved", "unproved"])
    '1 proved, 2 unproved'
    """
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ProofVerdict if counts[verdict])


def standings_record(proofs: Mapping[str, Proof | None]) -> dict[str, Any]:
    """The same for JSON, by model."""
    return {
        name: {
            "verdict": standing(proof),
            "failed": list(proof.failed) if proof else [],
            "windows": proof.windows if proof else None,
            "proved_at": proof.proved_at if proof else None,
        }
        for name, proof in proofs.items()
    }


def _parts(report: ProofReport) -> Iterator[str]:
    yield (
        f"{report.pipeline}: {counted(len(report.windows), 'window')} replayed in a scratch copy, "
        f"{windows_in_words(report.windows)}, {report.seconds:.1f} s"
    )
    yield table(
        ("model", *Property, "verdict"),
        [
            (model, *(outcomes[tested].result for tested in Property), report.verdicts[model])
            for model, outcomes in report.outcomes.items()
        ],
    )
    open_questions = list(_not_applicable(report))
    if open_questions:
        yield "\n".join(open_questions)
    for finding in report.findings:
        yield _finding_page(finding)
    yield _next(report)


def _not_applicable(report: ProofReport) -> Iterator[str]:
    """Why something does not apply, a line for each property and reason."""
    models: dict[tuple[Property, str], list[str]] = {}
    for model, outcomes in report.outcomes.items():
        for tested, outcome in outcomes.items():
            if outcome.result is Result.NOT_APPLICABLE and outcome.reason is not None:
                models.setdefault((tested, outcome.reason), []).append(model)
    for (tested, reason), names in models.items():
        yield f"n/a  {tested}: {', '.join(names)}: {reason}"
    for model, reason in report.left_out.items():
        yield f"n/a  {model}: not replayed, {reason}"


def _finding_page(finding: ReplayFinding) -> str:
    head = f"fail {finding.model}, {finding.property}: {finding.replayed}, "
    if finding.difference is None:
        return f"{head}it could not be built: {finding.error}"
    return f"{head}{_difference(finding.difference)}"


def _difference(found: Difference) -> str:
    where = f"window {found.where}" if found.where is not None else "the table"
    lines = [
        f"{where} holds {counted(found.found_rows, 'row')}"
        + (
            f" and not {found.expected_rows:,}"
            if found.found_rows != found.expected_rows
            else ", but not the same"
        )
        + (f" (and so {counted(found.others, 'other window')})" if found.others else "")
    ]
    if found.columns:
        lines.append(f"     columns that differ: {', '.join(found.columns)}")
    if found.sample:
        rows = [line for pair in found.sample for line in _side_by_side(pair)]
        shown = table(("", *found.header), rows)
        lines += [f"     {line}" for line in shown.splitlines()]
    return "\n".join(lines)


def _side_by_side(pair: tuple[Row | None, Row | None]) -> Iterator[tuple[str, ...]]:
    for side, row in zip(("expected", "found"), pair, strict=True):
        if row is not None:
            yield (side, *("NULL" if value is None else str(value) for value in row))


def _finding_record(finding: ReplayFinding) -> dict[str, Any]:
    found = finding.difference
    return {
        "model": finding.model,
        "property": finding.property,
        "replayed": finding.replayed,
        "error": finding.error,
        "window": found.where if found else None,
        "other_windows": found.others if found else 0,
        "expected_rows": found.expected_rows if found else None,
        "found_rows": found.found_rows if found else None,
        "columns": list(found.columns) if found else [],
        "sample": [
            {"expected": _row_record(found, expected), "found": _row_record(found, other)}
            for expected, other in found.sample
        ]
        if found
        else [],
    }


def _row_record(found: Difference, row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    values = (None if value is None else str(value) for value in row)
    return dict(zip(found.header, values, strict=True))


def _next(report: ProofReport) -> str:
    names = {
        verdict: [model for model, found in report.verdicts.items() if found is verdict]
        for verdict in ProofVerdict
    }
    again = f"runner prove {report.pipeline}"
    if wrong := names[ProofVerdict.DISPROVED]:
        mend = f"next: mend {', '.join(wrong)} (see docs/proving.md), then"
        return f'{mend} {again} --select "{" ".join(wrong)}"'
    if undecided := names[ProofVerdict.UNPROVED]:
        return f"next: {', '.join(undecided)} needs windows with rows: backfill some, then {again}"
    return "next: nothing; until their code changes, their windows may run again at any time"
