"""A relation is compared with those of its name, not with all of its schema.

Where a schema has a thousand relations dbt takes 5 ms to find one, and a build looks for each of
them several times: a third of what it takes to build a thousand small models.
"""

from __future__ import annotations

from typing import Any

from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.base.relation import BaseRelation

from runner.dbt.speedups import expect

_QUOTES = '"`[]'  # dbt also finds, and refuses, what differs only by these or by its case


def probe() -> None:
    """Expect what picks a relation out of those of a schema."""
    expect(
        BaseAdapter._make_match,  # noqa: SLF001 - there is no other place
        "self",
        "relations_list",
        "database",
        "schema",
        "identifier",
    )


def apply() -> None:
    """Let dbt look only at relations of a name."""
    make_match = BaseAdapter._make_match  # noqa: SLF001

    def named_alike(
        self: BaseAdapter,
        relations_list: list[BaseRelation],
        database: str,
        schema: str,
        identifier: str,
    ) -> Any:
        if identifier:
            name = _plain(identifier)
            relations_list = [one for one in relations_list if _plain(one.identifier) == name]
        return make_match(self, relations_list, database, schema, identifier)

    BaseAdapter._make_match = named_alike  # type: ignore[method-assign]  # noqa: SLF001


def _plain(identifier: str | None) -> str:
    return str(identifier).lower().strip(_QUOTES)
