"""Remember which warehouse the ledger is about, and what its markers were when last read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.core.status import WindowRecord
from runner.core.timelines import Timeline
from runner.dbt.protocol import StandingTable
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.records import IndexChange, record_of
from runner.ledger.windows import apply_change, raise_fence, replace_model

Reading = tuple[str, str]  # a windowed model, and a node that is made from it: names


@dataclass(frozen=True)
class KnownWarehouse:
    """A warehouse as it was when it was last looked at."""

    place: str  # what tells it from others: its file and schema
    warehouse_id: str | None  # its own; None: it had none yet
    stamp: str | None  # of its file before it was looked at; None: no file, or never looked at
    seen_at: datetime | None  # UTC
    left_as: str | None = None  # the stamp when a run of ours last ended


@dataclass(frozen=True)
class KnownRelation:
    """A model's relation, and a digest of its markers."""

    model: str
    relation: str  # schema.identifier
    markers: str


@dataclass
class Warehouses:
    """The one warehouse that a ledger is about."""

    database: Database

    def get(self) -> KnownWarehouse | None:
        """Return the warehouse; None for a ledger that is about none yet."""
        found = self.database.select(KnownWarehouse, "select * from warehouses")
        return found[0] if found else None

    def get_relations(self) -> dict[str, KnownRelation]:
        """Return what is known of each model's relation, by model."""
        found = self.database.select(KnownRelation, "select * from relations")
        return {known.model: known for known in found}

    def get_built(self) -> dict[str, StandingTable]:
        """Return how what has no windows stood when a run of ours had built it, by model."""
        with self.database.transaction(reads_only=True) as connection:
            return {
                row["model"]: StandingTable(row["row_count"], row["definition"], row["contents"])
                for row in connection.rows("select * from built_tables")
            }

    def get_readings(self) -> frozenset[Reading]:
        """Return who was made from which windowed model when the warehouse was last looked at."""
        with self.database.transaction(reads_only=True) as connection:
            return _readings_in(connection)

    def learn_readings(self, readings: Collection[Reading]) -> None:
        """Remember who is made from what, where nothing stands yet that could be compared."""
        with self.database.transaction() as connection:
            _replace_readings(connection, readings)

    def forget_readings(self, but: Collection[Reading]) -> None:
        """Forget all but some: of what was just published nobody else has been told."""
        with self.database.transaction() as connection:
            known = _readings_in(connection)
            if not known.issubset(but):
                _replace_readings(connection, known.intersection(but))

    def learn_built(self, tables: Mapping[str, StandingTable]) -> None:
        """Remember how some tables stand, now that they are built."""
        with self.database.transaction() as connection:
            _replace_built(connection, tables)

    def bind(self, place: str) -> str:
        """Let the ledger be about a warehouse unless it is about one; returns which one it is."""
        bound = "select place from warehouses"
        with self.database.transaction() as connection:
            found: str | None = connection.value(bound)
            if found is None:
                connection.insert("warehouses", [{"place": place}])
            return found or place

    def learn_id(self, warehouse_id: str) -> None:
        """Remember which warehouse was written, unless its id is known."""
        learned = "update warehouses set warehouse_id = :id where warehouse_id is null"
        self.database.change(learned, id=warehouse_id)

    def go_on(self, found: str | None, left: str | None, now: datetime) -> None:
        """Remember how an invocation has left a file that it found as it was last looked at.

        To be called when all that it has written is recorded. If others had written the file
        before, or their records are still to come, it is to be looked at.
        """
        is_known = "stamp is null" if found is None else "stamp = :found"
        seen = f"update warehouses set stamp = :left, seen_at = :now where {is_known}"
        self.database.change(seen, found=found, left=left, now=now)

    def leave(self, stamp: str | None) -> None:
        """Remember how a run of ours has left the warehouse's file."""
        self.database.change("update warehouses set left_as = :stamp", stamp=stamp)

    def record_survey(
        self,
        before: Mapping[str, KnownRelation],
        seen: KnownWarehouse,
        relations: Mapping[str, KnownRelation | None],
        windows: Mapping[str, Timeline[WindowRecord]],
        late: Mapping[str, Timeline[str]],
        highest_fence: int = 0,
        tables: Mapping[str, StandingTable] | None = None,
        readings: Collection[Reading] = (),
    ) -> bool:
        """Record what stands in the warehouse: all of the windows of some models, in one go.

        A relation that is None is gone. ``late`` is stale for reasons in words. No fence up to
        ``highest_fence`` is given again. False, and nothing is recorded, if the relations are no
        longer those of ``before`` the warehouse was asked: a runner has recorded windows since.
        """
        with self.database.transaction() as connection:
            rows = connection.rows("select * from relations")
            if {row["model"]: record_of(KnownRelation, row) for row in rows} != dict(before):
                return False
            raise_fence(connection, highest_fence)
            connection.change("delete from warehouses")
            connection.insert("warehouses", [vars(seen)])
            for model in relations:
                connection.change("delete from relations where model = :model", model=model)
            connection.insert("relations", [vars(known) for known in relations.values() if known])
            _replace_built(connection, tables or {})
            _replace_readings(connection, readings)
            for model, timeline in windows.items():
                replace_model(connection, model, timeline)
            apply_change(connection, IndexChange(late=late))
        return True


def _readings_in(connection: Connection) -> frozenset[Reading]:
    found = connection.rows("select parent, reader from readings")
    return frozenset((row["parent"], row["reader"]) for row in found)


def _replace_readings(connection: Connection, readings: Collection[Reading]) -> None:
    connection.change("delete from readings")
    connection.insert("readings", [{"parent": p, "reader": r} for p, r in sorted(readings)])


def _replace_built(connection: Connection, tables: Mapping[str, StandingTable]) -> None:
    for model in tables:
        connection.change("delete from built_tables where model = :model", model=model)
    rows = [{"model": model, **vars(table)} for model, table in tables.items()]
    connection.insert("built_tables", rows)
