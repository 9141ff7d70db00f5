"""The findings of a proof, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.core.proofs import Proof, ProofVerdict, Property, PropertyResult, Result
from runner.core.windows import Window, range_label

SAMPLE_SIZE = 5
Row = tuple[object, ...]


@dataclass(frozen=True)
class Difference:
    """The difference between the rows after a replay and those after one run in order."""

    where: str | None  # the label of the window; None: of no window, or the table has none
    others: int  # how many more windows differ
    expected_rows: int
    found_rows: int
    columns: tuple[str, ...]  # whose values differ; empty: whole rows are too many or missing
    header: tuple[str, ...]  # the columns of the sample
    sample: tuple[tuple[Row | None, Row | None], ...]  # expected and found, side by side


@dataclass(frozen=True)
class ReplayFinding:
    """One model that a replay has changed, or that could not be built in it."""

    model: str
    property: Property
    replayed: str  # how, in words
    error: str | None = None  # of dbt, if it was not built
    difference: Difference | None = None  # else


@dataclass(frozen=True)
class ProofReport:
    """Everything that a proof has found."""

    pipeline: str
    windows: tuple[Window, ...]
    outcomes: Mapping[str, Mapping[Property, PropertyResult]]  # by model, parents first
    verdicts: Mapping[str, ProofVerdict]
    code_hashes: Mapping[str, str]  # of the code that was replayed
    findings: tuple[ReplayFinding, ...]  # only of models that are blamed
    left_out: Mapping[str, str]  # models that were not replayed, and why
    not_built: Mapping[str, str]  # nodes that cannot be built even once, and why
    seconds: float

    def decided(self, at: datetime) -> list[Proof]:
        """Return what is to be remembered of each model on which there is a verdict."""
        windows = range_label(self.windows[0].label, self.windows[-1].label)
        return [
            Proof(
                model=model,
                code_hash=self.code_hashes[model],
                verdict=self.verdicts[model],
                failed=tuple(p for p in Property if outcomes[p].result is Result.FAILED),
                windows=windows,
                proved_at=at,
            )
            for model, outcomes in self.outcomes.items()
            if self.verdicts[model] is not ProofVerdict.UNPROVED
        ]
