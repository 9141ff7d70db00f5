"""A backfill as it goes: a plain line for every window, and a bar below them on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from runner.core.chunks import Chunk
from runner.core.planning import Plan
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.core.status import WindowStatus
from runner.core.visible import visible
from runner.core.windows import Calendar, Window
from runner.execution.context import Observer, RunResult
from runner.ledger import RunEnd
from runner.project.pipelines import Pipeline
from runner.render.words import counted, held_in_words, late_gate_in_words
from runner.warehouse.lock import Holder

_STYLES = {
    RunState.SUCCESS: "green",
    RunState.INCORRECT: "yellow",
    RunState.UNCHECKED: "yellow",
    RunState.FAILED: "red",
    RunState.CANCELLED: "red",
}
_COUNTED = [state for state in RunState if state.finished]
_MOST_REASONS = 3  # that are told of what is stale


class ProgressDisplay(Observer):
    """Shows a backfill as it goes: plain lines, and below them a bar on a terminal."""

    def __init__(
        self,
        console: Console,
        word: str,
        pipeline: Pipeline,
        stamp: Callable[[], str] = lambda: "",  # put before every line
    ) -> None:
        self._console = console
        self._stamp = stamp
        self._word = word
        self._pipeline = pipeline
        self._calendar = pipeline.calendar
        self._models = {n.unique_id: n.name for n in pipeline.nodes if n.kind == "model"}
        self._node_count = len(pipeline.nodes)
        self._settled = 0  # windows
        self._running = 0  # windows of the running invocation
        self._done_nodes: set[str] = set()  # of the running invocation
        self._bar = Progress(
            TextColumn(f"\\[{word}]"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._last_reason: str | None = None  # said once for windows that share it
        self._task = self._bar.add_task("looking what is to do", total=None)

    def __enter__(self) -> ProgressDisplay:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def adopted(self, windows: int) -> None:
        """Say that a ledger was lost, and where its knowledge comes from now."""
        if windows:
            known = counted(windows, "published window")
            self._print(f"the ledger knew nothing: {known} taken from the warehouse's markers")

    def noticed(self, line: str) -> None:
        """Say what was changed in the warehouse behind the runner's back."""
        self._print(f"the warehouse was changed: {line}")

    def unwatched(self, line: str) -> None:
        """Say which landed files belong to no window."""
        self._print(line)

    def announce(self, plan: Plan, *, reaches_today: bool) -> None:
        """Say what will run, and what is left alone and why."""
        self._bar.update(self._task, total=plan.window_count, description="starting dbt")
        for skip in plan.skipped:
            if skip.status is WindowStatus.MISSING and skip.status not in plan.request.takes:
                continue  # nobody has asked for it
            count = self._calendar.count(skip.span)
            self._print(f"{count} skipped {self._where(skip.span)}: {skip.reason}")
        for model in plan.models:
            for held in model.held:
                for span in plan.windows.inside(held.span):
                    where, why = self._where(span), held_in_words(held)
                    self._print(f"{model.node.name} held back {where}: {why}")
        if plan.span is None:
            self._print(f"0 runs queued: nothing to do{self._hint(plan)}")
            return
        runs = counted(plan.window_count, "run")
        chunks = counted(len(plan.chunks), "chunk")
        grain = self._calendar.grain
        self._print(f"{runs} queued (one per {grain}) {self._where(plan.span)}, {chunks}")
        for where, reason in list(_stale_reasons(self._calendar, plan))[:_MOST_REASONS]:
            self._print(f"{where} runs again: {reason}")
        self._announce_unwindowed(plan, reaches_today)

    def _hint(self, plan: Plan) -> str:
        statuses = {skip.status for skip in plan.skipped}
        if WindowStatus.BLOCKED in statuses:
            return f" (runner retry {self._pipeline.name} tries again what is blocked)"
        if statuses and statuses <= {WindowStatus.SUCCESS, WindowStatus.UNCHECKED}:
            again = "--all judges" if plan.request.judges_only else "--reprocess all runs"
            return f" ({again} them again)"
        return ""

    def _announce_unwindowed(self, plan: Plan, reaches_today: bool) -> None:
        """Say what is not built for every window, and what is not built at all."""
        if plan.request.judges_only:
            self._print("only checks are run, nothing is built but what they read alone")
            return
        select = plan.request.select
        if self._pipeline.is_whole:
            select = frozenset(model.node.name for model in plan.models if model.runs)
        found = [
            node
            for node in self._pipeline.data_nodes
            if not node.is_windowed and (select is None or node.name in select)
        ]
        late = [n.name for n in found if n.kind == "snapshot" and not reaches_today]
        once = len(found) - len(late)
        if once:
            what = "" if self._pipeline.is_whole else " without windows"
            self._print(f"{once} tables, views and seeds{what} are built once")
        if late:
            self._print(f"{', '.join(late)} left out: a snapshot sees only today")
        for gate in self._pipeline.late_gates:
            self._print(late_gate_in_words(gate))

    def invoking(self, chunk: Chunk) -> None:
        """Name the range that runs now."""
        self._running = self._calendar.count(chunk.span)
        self._done_nodes.clear()
        self._bar.update(self._task, description=self._where(chunk.span))

    def node(self, unique_id: str, status: str) -> None:
        """Name the model that runs now."""
        if status != "started":
            # A chunk settles all at once; until then its nodes tell how far it is.
            self._done_nodes.add(unique_id)
            share = min(1.0, len(self._done_nodes) / self._node_count)
            self._bar.update(self._task, completed=int(self._settled + share * self._running))
        elif unique_id in self._models:
            self._bar.update(self._task, description=self._models[unique_id])

    def settled(self, window: Window, outcome: RunEnd) -> None:
        """Print the verdict of a window, and why if it is not success."""
        held = "" if self._pipeline.is_whole else "nothing published"  # it counts no rows
        if outcome.row_count is not None:
            held = f"{outcome.row_count:>8,} rows"
        checks = f"  {counted(outcome.check_count, 'check')}" if outcome.check_count else ""
        line = f"{window.label} ... {outcome.state:<9} {held}{checks}".rstrip()
        self._print(line, _STYLES[outcome.state])
        if outcome.reason and outcome.reason != self._last_reason:
            self._print(f"{' ' * len(window.label)}     {outcome.reason}")
        self._last_reason = outcome.reason
        self._settled += 1
        self._bar.update(self._task, completed=self._settled)

    def condemned(self, model: str, span: Span, reason: str | None) -> None:
        """Say that a window is wrong that does not run."""
        line = f"{self._where(span)} ... incorrect, though it does not run: {model}"
        self._print(line, _STYLES[RunState.INCORRECT])
        self._print(f"{' ' * len(self._where(span))}     {reason}")

    def splitting(self, span: Span, reason: str) -> None:
        """Say that a chunk failed and is narrowed down."""
        self._print(f"{self._where(span)} failed, finding out which: {reason}")
        self._last_reason = reason

    def retrying(self, span: Span, reason: str, seconds: float) -> None:
        """Say that a chunk failed for a reason that may pass."""
        self._print(f"{self._where(span)} is tried again in {seconds:.0f} s: {reason}")

    def waiting(self, holder: Holder) -> None:
        """Say who holds the warehouse."""
        self._print(f"waiting for {holder}, who holds the warehouse")

    def abandoned(self, span: Span) -> None:
        """Say what was stopped in the middle."""
        self._bar.stop()
        what_is_left = "every table has either its old or its new rows"
        self._print(f"{self._where(span)} abandoned: {what_is_left}")

    def not_tried(self, span: Span, reason: str) -> None:
        """Say that a chunk was left out."""
        because = "" if reason == self._last_reason else f": {reason}"
        self._print(f"{self._where(span)} not tried{because}")
        self._last_reason = reason

    def finished(self, done: RunResult) -> None:
        """Print the totals, and the next step if a window is not success."""
        self._bar.stop()
        if not done.states:
            return
        counts = Counter(done.states.values())
        always = (RunState.SUCCESS, RunState.INCORRECT, RunState.FAILED)
        shown = [f"{counts[s]} {s}" for s in _COUNTED if counts[s] or s in always]
        self._print(f"{', '.join(shown)} in {done.seconds:.1f} s")
        wrong = [w for w, state in sorted(done.states.items()) if state is not RunState.SUCCESS]
        wrong.sort(key=lambda window: _COUNTED[::-1].index(done.states[window]))
        if wrong:
            name = self._pipeline.name
            self._print(f"look at: runner show-run {name} {done.run_ids[wrong[0]]}")
        if len(wrong) > 1:
            self._print(f"and the other {len(wrong) - 1} in: runner list-runs {name}")

    def _where(self, span: Span) -> str:
        return self._calendar.label(span)

    def _print(self, text: str, style: str | None = None) -> None:
        line = visible(f"{self._stamp()}[{self._word}] {text}")
        if self._console.is_terminal:
            self._console.out(line, style=style, highlight=False)
        else:  # there may be thousands, and nobody sees colours
            self._console.file.write(f"{line}\n")
            self._console.file.flush()


def _stale_reasons(calendar: Calendar, plan: Plan) -> Iterator[tuple[str, str]]:
    """Say why windows that were fine run again, each reason once."""
    said: set[str] = set()
    for model in plan.models:
        for span in model.statuses.get(WindowStatus.STALE, Spans()) & model.runs:
            reason = model.why(WindowStatus.STALE, span)
            if reason is not None and reason not in said:
                said.add(reason)
                yield calendar.label(span), reason
