"""All pipelines at one time: the ledger is read once for them, and each is planned once."""

from __future__ import annotations

from datetime import datetime

from runner.core.errors import DaybreakError
from runner.core.planning import Plan, RunRequest, make_plan
from runner.core.spans import Span, Spans
from runner.core.status import PlannedNode
from runner.planner import LedgerRecord, Planner
from runner.workspace import Workspace


class Outlook:
    """The pipelines of a workspace as they are at a time, each read when it is first asked for."""

    def __init__(self, workspace: Workspace, now: datetime) -> None:
        self.workspace = workspace
        self.now = now  # UTC
        self._planners: dict[str, Planner | DaybreakError] = {}
        self._record: LedgerRecord | None = None
        self._nodes: dict[str, tuple[list[PlannedNode], Spans]] = {}
        self._plans: dict[tuple[str, Span], Plan] = {}

    def planner(self, name: str) -> Planner:
        """Return the planner of a pipeline; raises why it cannot be read, without trying again."""
        if name not in self._planners:
            try:
                self._planners[name] = self.workspace.planner(name)
            except DaybreakError as error:
                self._planners[name] = error
        found = self._planners[name]
        if isinstance(found, DaybreakError):
            raise found
        return found

    def plan(self, name: str, windows: Span) -> Plan:
        """Return what would be done of some windows by itself, and what each of them is."""
        if (name, windows) not in self._plans:
            planner = self.planner(name)
            if name not in self._nodes:
                self._record = self._record or LedgerRecord.read(planner.ledger)
                self._nodes[name] = planner.nodes(self.now, self._record), planner.in_flight()
            request = RunRequest(Spans([windows]), outdated=True)
            calendar = planner.pipeline.calendar
            self._plans[name, windows] = make_plan(calendar, *self._nodes[name], request)
        return self._plans[name, windows]

    def renew(self, now: datetime) -> None:
        """Look from a time at what has been changed: the ledger is read again."""
        self.now = now
        self._record = None
        self._nodes.clear()
        self._plans.clear()
