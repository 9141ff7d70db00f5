"""Proofs: model by property, how each failure looks, and what is known of a model's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runner.core.proofs import Proof, ProofVerdict, Property, Result
from runner.core.windows import range_label
from runner.render.columns import Column, Table, table
from runner.render.words import counted, some_names

if TYPE_CHECKING:
    from runner.proving.results import Difference, ProofReport, ReplayFinding, Row

_RESULT = Table(Column("result"), Column("reason"))


def _sample_record(finding: ReplayFinding) -> list[dict[str, Any]]:
    found = finding.difference
    if found is None:
        return []

    def record(row: Row | None) -> dict[str, Any] | None:
        values = (None if value is None else str(value) for value in row or ())
        return None if row is None else dict(zip(found.header, values, strict=True))

    return [{"expected": record(one), "found": record(other)} for one, other in found.sample]


_FINDINGS = Table(
    Column("model"),
    Column("property"),
    Column("replayed"),
    Column("error"),
    Column("window", "difference.where"),
    Column("other_windows", lambda finding: finding.difference.others if finding.difference else 0),
    Column("expected_rows", "difference.expected_rows"),
    Column("found_rows", "difference.found_rows"),
    Column("columns", lambda finding: finding.difference.columns if finding.difference else ()),
    Column("sample", _sample_record),
)


def proof_page(report: ProofReport) -> str:
    """Show everything that a proof has found, and what to do next."""
    return "\n\n".join(_parts(report))


def proof_record(report: ProofReport) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "pipeline": report.pipeline,
        "windows": [window.label for window in report.windows],
        "models": [
            {
                "model": model,
                "verdict": report.verdicts[model],
                "properties": {tested: _RESULT.record(found) for tested, found in outcomes.items()},
            }
            for model, outcomes in report.outcomes.items()
        ],
        "failures": _FINDINGS.records(report.findings),
        "left_out": dict(report.left_out),
        "not_built": dict(report.not_built),
        "seconds": report.seconds,
        "next": _next(report),
    }


def known_verdict(proof: Proof | None) -> ProofVerdict:
    """Return what a proof, or none, says of a model's code."""
    return proof.verdict if proof is not None else ProofVerdict.UNPROVED


def proofs_in_words(proofs: Mapping[str, Proof | None], *, is_all: bool = True) -> str:
    """Name the models that are proved, and those that are not."""
    names: dict[ProofVerdict, list[str]] = {verdict: [] for verdict in ProofVerdict}
    for name, proof in proofs.items():
        names[known_verdict(proof)].append(name)
    named = (
        (some_names(found, is_all=is_all), verdict) for verdict, found in names.items() if found
    )
    return "; ".join(f"{words} {verdict}" for words, verdict in named)


def counts_in_words(proofs: Mapping[str, Proof | None]) -> str:
    """Count the models by verdict.

    >>> counts_in_words({"orders": None, "stores": None})
    '2 unproved'
    """
    counts = Counter(map(known_verdict, proofs.values()))
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ProofVerdict if counts[verdict])


_PROOF = Table(
    Column("verdict", known_verdict),
    Column("failed", lambda proof: list(proof.failed) if proof else []),
    Column("windows"),
    Column("proved_at"),
)


def proofs_record(proofs: Mapping[str, Proof | None]) -> dict[str, Any]:
    """Return what is known of each model's code, for JSON."""
    return {name: _PROOF.record(proof) for name, proof in proofs.items()}


def _parts(report: ProofReport) -> Iterator[str]:
    windows = range_label(report.windows[0].label, report.windows[-1].label)
    yield (
        f"{report.pipeline}: {counted(len(report.windows), 'window')} replayed in a scratch copy, "
        f"{windows}, {report.seconds:.1f} s"
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
    """Say why something does not apply, in a line for each property and reason."""
    models: dict[str, dict[str, list[Property]]] = {}
    for model, outcomes in report.outcomes.items():
        for tested, outcome in outcomes.items():
            if outcome.result is Result.NOT_APPLICABLE and outcome.reason is not None:
                models.setdefault(outcome.reason, {}).setdefault(model, []).append(tested)
    for reason, tested_of in models.items():
        of_all = [model for model, tested in tested_of.items() if len(tested) == len(Property)]
        if of_all:
            yield f"n/a  {', '.join(of_all)}: {reason}"
        for tested in Property:
            names = [m for m, found in tested_of.items() if tested in found and m not in of_all]
            if names:
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
    is_other_count = found.found_rows != found.expected_rows
    instead = f" and not {found.expected_rows:,}" if is_other_count else ", but not the same"
    others = f" (and so {counted(found.others, 'other window')})" if found.others else ""
    lines = [f"{where} holds {counted(found.found_rows, 'row')}{instead}{others}"]
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


def _next(report: ProofReport) -> str:
    names = {
        verdict: [model for model, found in report.verdicts.items() if found is verdict]
        for verdict in ProofVerdict
    }
    again = f"runner prove {report.pipeline}"
    if wrong := [*names[ProofVerdict.DISPROVED], *report.not_built]:
        models = " ".join(name for name in wrong if name in report.verdicts)
        only = f' --select "{models}"' if models else ""
        return f"next: mend {', '.join(wrong)} (see docs/proving.md), then {again}{only}"
    if undecided := names[ProofVerdict.UNPROVED]:
        return f"next: {', '.join(undecided)} needs windows with rows: backfill some, then {again}"
    return "next: nothing; until their code changes, their windows may run again at any time"
