"""What is left out of dbt changes nothing of what dbt says to those who listen."""

import json
import subprocess
import sys

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
