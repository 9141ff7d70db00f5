"""Keep the code that models were published with, to compare it with what it is now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.ledger.database import Database


@dataclass(frozen=True)
class ModelCode:
    """A code that a model had when something of it was run."""

    model: str
    code_hash: str
    parts: Mapping[str, str]  # by unique id the digest of each node's own: its own, what it reads
    recorded_at: datetime  # UTC; when it last became the model's code


@dataclass(frozen=True)
class _CodeRow:
    model: str
    code_hash: str
    parts: str
    recorded_at: datetime

    def code(self) -> ModelCode:
        return ModelCode(self.model, self.code_hash, json.loads(self.parts), self.recorded_at)


@dataclass
class Codes:
    """The codes of models that have run, and the texts that they are made of."""

    database: Database

    def get_newest(self) -> dict[str, str]:
        """Return the hash of the code that each model had when it last ran."""
        query = "select model, code_hash from codes order by recorded_at"
        with self.database.transaction(reads_only=True) as connection:
            return {row["model"]: row["code_hash"] for row in connection.rows(query)}

    def record(self, codes: Iterable[ModelCode], texts: Mapping[str, str]) -> None:
        """Keep codes that have become those of their models, and texts by digest."""
        with self.database.transaction() as connection:
            known = set(connection.column("select digest from code_texts"))
            added = [(digest, text) for digest, text in texts.items() if digest not in known]
            connection.insert("code_texts", ({"digest": d, "text": t} for d, t in added))
            for code in codes:
                row = {**vars(code), "parts": json.dumps(code.parts, sort_keys=True)}
                key = {"model": code.model, "code_hash": code.code_hash}
                connection.replace("codes", [row], **key)

    def get(self, code_hashes: Iterable[str]) -> list[ModelCode]:
        """Return what is known of some codes, the newest first."""
        asked = sorted(set(code_hashes))
        if not asked:
            return []
        query = "select * from codes where code_hash in :asked order by recorded_at desc"
        return [row.code() for row in self.database.select(_CodeRow, query, asked=asked)]

    def get_of(self, model: str) -> list[ModelCode]:
        """Return the codes that a model has had, the newest first."""
        query = "select * from codes where model = :model order by recorded_at desc"
        return [row.code() for row in self.database.select(_CodeRow, query, model=model)]

    def get_text(self, digest: str) -> str | None:
        """Return a text; None: it was not kept."""
        text: str | None = self.database.value(
            "select text from code_texts where digest = :digest", digest=digest
        )
        return text
