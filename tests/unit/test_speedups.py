"""What is left out of dbt changes nothing of what dbt says to those who listen."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.dbt import speedups
from runner.dbt.speedups import NAMES, Speedups, UnexpectedDbtError, expect

ASKED = """
import json
from runner.dbt.speedups import lazy_serializers
lazy_serializers.apply()
from runner.dbt.speedups import debug_events
debug_events.apply(["JinjaLogInfo"])
from dbt_common.events.event_manager_client import get_event_manager
from dbt_common.events.functions import fire_event, warn_or_error
from dbt.events.types import JinjaLogDebug, JinjaLogInfo, JinjaLogWarning, MainEncounteredError
from dbt_common.exceptions.events import EventCompilationError
from dbt_common.helper_types import WarnErrorOptions

heard = []
manager = get_event_manager()
manager.add_callback(lambda message: heard.append([message.info.name, message.data.msg]))
fire_event(JinjaLogDebug(msg="nobody listens"))
fire_event(JinjaLogInfo(msg="told"))
fire_event(JinjaLogWarning(msg="a warning"))
unread = JinjaLogDebug(msg="read later")
unread.msg = unread.msg + ", and changed"
heard.append([unread.message(), unread.to_dict()["msg"]])
manager.warn_error = True
try:
    warn_or_error(JinjaLogWarning(msg="as an error"))
except EventCompilationError as error:
    heard.append(["raised", str(error).split()[-1]])
print(json.dumps(heard))
"""
USED = """
import gc, json, socket
from runner.dbt import server
server.DbtServer(socket.socketpair()[0]).import_dbt()
server.leave_to_children()
from dbt.adapters.duckdb.credentials import DuckDBCredentials
told = {"database": "shop", "schema": "main", "path": "shop.duckdb"}
found = DuckDBCredentials.from_dict(told)
told = [found.path, found.to_dict()["schema"]]
from dbt.artifacts.resources.v1.config import NodeConfig, TestConfig
config = TestConfig.from_msgpack(TestConfig(where="id > 3").to_msgpack())
told += [type(config).__name__, config.where, NodeConfig().to_dict(omit_none=True)["enabled"]]
print(json.dumps([*told, gc.isenabled(), gc.get_freeze_count() > 0]))
"""


def said(program: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_who_listens_hears_what_he_listens_to_and_every_warning():
    assert said(ASKED) == [
        ["JinjaLogInfo", "told"],
        ["JinjaLogWarning", "a warning"],
        ["read later, and changed", "read later, and changed"],
        ["raised", "error"],
    ]


def test_dbts_classes_are_read_and_written_and_garbage_is_looked_for():
    said_of = ["shop.duckdb", "main", "TestConfig", "id > 3", True]
    assert said(USED) == [*said_of, True, True]


TYPED = """
import json
from runner.dbt.speedups import type_testers
type_testers.apply()
from dbt_common.clients import agate_helper
rows = [{"day": "2026-06-19", "code": "007", "amount": 1}, {"day": "", "code": "", "amount": 2}]
flat = agate_helper.table_from_data_flat(rows, ["day", "code", "amount"])
free = agate_helper.table_from_rows([["2026-06-19", "1"], ["", "2"]], ["day", "amount"])
print(json.dumps([[str(v) for r in flat.rows for v in r], [str(v) for r in free.rows for v in r]]))
"""


def test_results_keep_their_types():
    assert said(TYPED) == [
        ["2026-06-19", "007", "1", "", "", "2"],
        ["2026-06-19", "1", "None", "2"],
    ]


SELECTED = """
import json
from itertools import product
from types import SimpleNamespace
from dbt.graph.selector_methods import QualifiedNameSelectorMethod
from runner.dbt.speedups import named_selection

places = [
    ["shop", "orders"], ["shop", "staging", "orders"], ["crm", "orders"], ["shop", "shop"],
    ["shop", "orders", "v1"], ["shop", "staging", "orders", "v2"], ["shop", "orders.daily"],
    ["shop", "staging.raw", "lines"], ["shop", "orders", "lines"], ["shop", "v1"],
]
names = [".".join(place) for place in places] + [".".join(place[1:]) for place in places]
names += [word for name in names for word in name.replace(".", " ").split()]
names += ["orders.v1", "orders_v1", "orders.v2", "staging.orders_v2", "shop.*", "[o]rders", "none"]
nodes = {}
for place, is_versioned in product(places, (False, True)):
    if is_versioned and len(place) < 3:
        continue  # there is a version after the name
    node = SimpleNamespace(fqn=place, is_versioned=is_versioned)
    nodes[f"model.{'.'.join(place)}.{is_versioned}"] = node
nothing = dict.fromkeys(("exposures", "metrics", "unit_tests", "semantic_models"), {})
nothing |= dict.fromkeys(("saved_queries", "functions"), {})

def found(nodes):
    method = QualifiedNameSelectorMethod(SimpleNamespace(nodes=nodes, **nothing), None, [])
    some = set(list(nodes)[3:])
    return [sorted(method.search(within, name)) for within in (set(nodes), some) for name in names]

named_selection.probe()
asked = []
is_match = QualifiedNameSelectorMethod.node_is_match
QualifiedNameSelectorMethod.node_is_match = lambda *given: asked.append(1) or is_match(*given)
half = dict(list(nodes.items())[::2])
before = [found(nodes), found(half)]
count = len(asked)
named_selection.apply()
after = [found(nodes), found(half)]
share = (len(asked) - count) / count
print(json.dumps([before == after, sum(map(bool, after[0])), share]))
"""


def test_a_name_selects_what_it_selects_in_dbt_and_few_nodes_are_asked():
    is_same, found, share = said(SELECTED)
    assert is_same
    assert found > 40
    assert share < 0.8  # nearly all of these few are alike


LOOKED_UP = """
import json
from types import SimpleNamespace
from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.duckdb.relation import DuckDBRelation
from dbt_common.exceptions import DbtBaseException
from runner.dbt.speedups import relation_lookup

def relation(identifier, **more):
    return DuckDBRelation.create("shop", "main", identifier, **more)

known = [relation(name) for name in ("orders", "Lines", '"quoted"', "tills")]
known += [relation("customers", dbt_created=True, quote_policy={"identifier": False})]
adapter = SimpleNamespace(_make_match_kwargs=lambda database, schema, identifier: {
    "database": database, "schema": schema, "identifier": identifier})
compared = []
matches = DuckDBRelation.matches
DuckDBRelation.matches = lambda self, **search: compared.append(1) or matches(self, **search)

def found():
    told = []
    for name in ("orders", "Orders", "lines", "Lines", "quoted", '"tills"', "CUSTOMERS", "none"):
        try:
            made = BaseAdapter._make_match(adapter, known, "shop", "main", name)
            told.append([str(one) for one in made])
        except DbtBaseException as error:
            told.append(type(error).__name__)
    return told

relation_lookup.probe()
before, count = found(), len(compared)
relation_lookup.apply()
print(json.dumps([before, found(), count, len(compared) - count]))
"""


def test_a_relation_is_found_or_refused_as_in_dbt_and_few_are_compared():
    before, after, all_of_them, few = said(LOOKED_UP)
    assert before == after
    assert {len(found) for found in after} >= {0, 1, len("ApproximateMatchError")}
    assert few < all_of_them / 3


def takes(first: int, second: int = 0) -> None: ...


@pytest.mark.parametrize(
    ("parameters", "or_more"),
    [(["first", "second"], False), (["first", "second"], True), (["first"], True)],
)
def test_a_function_that_is_as_expected(parameters: list[str], or_more: bool):
    expect(takes, *parameters, or_more=or_more)


@pytest.mark.parametrize(
    ("parameters", "or_more"),
    [(["first"], False), (["second", "first"], True), ([], True), (["first", "third"], True)],
)
def test_a_function_that_is_not(parameters: list[str], or_more: bool):
    with pytest.raises(UnexpectedDbtError, match=r"takes takes \(first.*\), not \("):
        expect(takes, *parameters, or_more=or_more)


def test_every_patch_has_a_file_and_every_file_a_patch():
    files = {path.stem for path in Path(speedups.__file__).parent.glob("*.py")}
    assert files == {"__init__", *NAMES}


def test_a_patch_that_cannot_be_applied_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise TypeError("no such\nthing")

    patch = SimpleNamespace(probe=lambda: None, apply=refuse)
    monkeypatch.setitem(sys.modules, "runner.dbt.speedups.type_testers", patch)
    found = Speedups()
    found.apply("type_testers")
    (notice,) = found.notices
    assert "without the speedup type_testers," in notice
    assert "(no such thing)" in notice


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("", list(NAMES)),
        ("off", []),
        ("type_testers, ast_cache", [n for n in NAMES if n not in ("type_testers", "ast_cache")]),
    ],
)
def test_patches_are_switched_off_by_name(
    setting: str, wanted: list[str], monkeypatch: pytest.MonkeyPatch
):
    applied: list[str] = []
    for name in NAMES:
        patch = SimpleNamespace(probe=lambda: None, apply=lambda name=name: applied.append(name))
        monkeypatch.setitem(sys.modules, f"runner.dbt.speedups.{name}", patch)
    found = Speedups(setting)
    for name in NAMES:
        found.apply(name)
    assert applied == wanted
    assert found.notices == []


def test_a_name_that_is_none_is_said():
    (notice,) = Speedups("type_testers,nothing").notices
    assert notice.startswith("DAYBREAK_SPEEDUPS names no speedup with nothing: `off`, or of lazy_")
