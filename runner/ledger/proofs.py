"""What replaying has shown of every model's code."""

from __future__ import annotations

from collections.abc import Iterable

from runner.core.proofs import Proof, ProofVerdict, Property
from runner.ledger.connection import Row
from runner.ledger.database import Database
from runner.ledger.values import instant

_INSERT = """
    insert into proofs (model, code_hash, verdict, failed, windows, proved_at)
    values (:model, :code_hash, :verdict, :failed, :windows, :proved_at)
"""


class Proofs(Database):
    """The newest proof of every model's code."""

    def keep_proofs(self, found: Iterable[Proof]) -> None:
        """Keep proofs; each takes the place of an earlier one of the same code.

        But one counterexample is the last word on a code: other windows cannot take it back.
        """
        with self._transaction() as connection:
            query = "select model, code_hash from proofs where verdict = :disproved"
            rows = connection.rows(query, disproved=ProofVerdict.DISPROVED)
            disproved = {(row["model"], row["code_hash"]) for row in rows}
            for proof in found:
                is_known = (proof.model, proof.code_hash) in disproved
                if is_known and proof.verdict is ProofVerdict.PROVED:
                    continue
                connection.change(
                    "delete from proofs where model = :model and code_hash = :code_hash",
                    model=proof.model,
                    code_hash=proof.code_hash,
                )
                connection.change(_INSERT, **_row_of(proof))

    def proofs(self) -> dict[str, tuple[Proof, ...]]:
        """By model, the newest first."""
        query = "select * from proofs order by proved_at desc, code_hash"
        with self._transaction(reads_only=True) as connection:
            found: dict[str, tuple[Proof, ...]] = {}
            for row in connection.rows(query):
                proof = _from_row(row)
                found[proof.model] = (*found.get(proof.model, ()), proof)
            return found


def _row_of(proof: Proof) -> dict[str, object]:
    return {
        "model": proof.model,
        "code_hash": proof.code_hash,
        "verdict": proof.verdict,
        "failed": ",".join(proof.failed),
        "windows": proof.windows,
        "proved_at": proof.proved_at,
    }


def _from_row(row: Row) -> Proof:
    return Proof(
        model=row["model"],
        code_hash=row["code_hash"],
        verdict=ProofVerdict(row["verdict"]),
        failed=tuple(Property(name) for name in row["failed"].split(",") if name),
        windows=row["windows"],
        proved_at=instant(row["proved_at"]),
    )
