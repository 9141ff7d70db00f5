"""Keep what replaying has shown of every model's code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter

from runner.core.proofs import Proof, ProofVerdict
from runner.ledger.database import Database


@dataclass
class Proofs:
    """The newest proof of every model's code."""

    database: Database

    def save(self, found: Iterable[Proof]) -> None:
        """Keep proofs; each takes the place of an earlier one of the same code.

        But one counterexample is the last word on a code: other windows cannot take it back.
        """
        with self.database.transaction() as connection:
            query = "select model, code_hash from proofs where verdict = :disproved"
            rows = connection.rows(query, disproved=ProofVerdict.DISPROVED)
            disproved = {(row["model"], row["code_hash"]) for row in rows}
            for proof in found:
                code = {"model": proof.model, "code_hash": proof.code_hash}
                if proof.verdict is ProofVerdict.PROVED and tuple(code.values()) in disproved:
                    continue
                row = {**asdict(proof), "failed": ",".join(proof.failed)}
                connection.replace("proofs", [row], **code)

    def get_all(self) -> dict[str, tuple[Proof, ...]]:
        """Return the proofs by model, the newest first."""
        query = "select * from proofs order by model, proved_at desc, code_hash"
        by_model = groupby(self.database.select(Proof, query), attrgetter("model"))
        return {model: tuple(proofs) for model, proofs in by_model}
