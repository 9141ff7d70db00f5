"""Keep what replaying has shown of every model's code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from runner.core.proofs import Proof, ProofVerdict, Property
from runner.ledger.connection import Row
from runner.ledger.database import Database
from runner.ledger.values import instant


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
                is_known = (proof.model, proof.code_hash) in disproved
                if is_known and proof.verdict is ProofVerdict.PROVED:
                    continue
                row = {**asdict(proof), "failed": ",".join(proof.failed)}
                code = {"model": proof.model, "code_hash": proof.code_hash}
                connection.replace("proofs", [row], **code)

    def get_all(self) -> dict[str, tuple[Proof, ...]]:
        """Return the proofs by model, the newest first."""
        query = "select * from proofs order by proved_at desc, code_hash"
        found: dict[str, tuple[Proof, ...]] = {}
        for proof in self.database.select(_from_row, query):
            found[proof.model] = (*found.get(proof.model, ()), proof)
        return found


def _from_row(row: Row) -> Proof:
    return Proof(
        model=row["model"],
        code_hash=row["code_hash"],
        verdict=ProofVerdict(row["verdict"]),
        failed=tuple(Property(name) for name in row["failed"].split(",") if name),
        windows=row["windows"],
        proved_at=instant(row["proved_at"]),
    )
