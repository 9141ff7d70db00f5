"""What replaying has shown of every model's code."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Row, delete, insert, select

from runner.core.proofs import Proof, ProofVerdict, Property
from runner.ledger.database import Database
from runner.ledger.schema import proofs


class Proofs(Database):
    """The newest proof of every model's code."""

    def keep_proofs(self, found: Iterable[Proof]) -> None:
        """Keep proofs; each takes the place of an earlier one of the same code.

        But one counterexample is the last word on a code: other windows cannot take it back.
        """
        with self._transaction() as connection:
            query = select(proofs.c.model, proofs.c.code_hash)
            disproved = {
                tuple(row)
                for row in connection.execute(
                    query.where(proofs.c.verdict == ProofVerdict.DISPROVED)
                )
            }
            for proof in found:
                is_known = (proof.model, proof.code_hash) in disproved
                if is_known and proof.verdict is ProofVerdict.PROVED:
                    continue
                same = proofs.c.model == proof.model, proofs.c.code_hash == proof.code_hash
                connection.execute(delete(proofs).where(*same))
                connection.execute(insert(proofs), [_row_of(proof)])

    def proofs(self) -> dict[str, tuple[Proof, ...]]:
        """By model, the newest first."""
        with self._transaction(reads_only=True) as connection:
            query = select(proofs).order_by(proofs.c.proved_at.desc(), proofs.c.code_hash)
            found: dict[str, tuple[Proof, ...]] = {}
            for row in connection.execute(query):
                found[row.model] = (*found.get(row.model, ()), _from_row(row))
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


def _from_row(row: Row[tuple[object, ...]]) -> Proof:
    return Proof(
        model=row.model,
        code_hash=row.code_hash,
        verdict=ProofVerdict(row.verdict),
        failed=tuple(Property(name) for name in row.failed.split(",") if name),
        windows=row.windows,
        proved_at=row.proved_at,
    )
