"""A project and everything of it: its files, its ledger, its engine."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from runner.core.config import PipelineConfig, selection, selection_of
from runner.core.environment import Environment
from runner.core.errors import (
    ConfigError,
    EngineError,
    LedgerError,
    ProjectError,
    UsageError,
    nearest,
)
from runner.dbt.protocol import Engine
from runner.landed.files import InputFiles
from runner.landed.sources import Landings
from runner.ledger import Ledger
from runner.ledger.maintenance import bound_place
from runner.planner import Planner
from runner.project.files import fingerprint, project_zone
from runner.project.installation import explained, require_package
from runner.project.manifest import Project
from runner.project.pipelines import Pipeline, find_config, make_pipeline
from runner.project.pipelines_yml import PipelinesFile, parse_pipelines
from runner.warehouse.reconciliation import place_of

if TYPE_CHECKING:
    from runner.explain.lineage import Tracer

PIPELINES = "pipelines.yml"
_KEPT_PROJECT = "project.json"


def real_environment() -> Environment:
    """Return the real clock, patience and chance; nothing else reads the clock."""
    return Environment(lambda: datetime.now(UTC), time.monotonic, time.sleep, random.random)


class EngineKind(StrEnum):
    """The way in which dbt is run."""

    WARM = "warm"  # imported and parsed once, forked for every invocation
    PLAIN = "plain"  # a subprocess for every invocation


@dataclass(frozen=True)
class Workspace:
    """A dbt project with its ``pipelines.yml``, and a folder for what the runner remembers.

    The folder is ``.daybreak`` in the project, or where ``DAYBREAK_HOME`` says.
    """

    project_dir: Path
    home: Path
    _read: list[Project] = field(default_factory=list, init=False, repr=False, compare=False)
    _asked: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @classmethod
    def find(
        cls, project_dir: Path | str, needed: Iterable[str] = ("dbt_project.yml", PIPELINES)
    ) -> Self:
        """Open the project in a folder; :class:`UsageError` if it lacks what is needed."""
        project_dir = Path(project_dir).resolve()
        for name in needed:
            if not (project_dir / name).is_file():
                adopt = "; in a dbt project: runner init" if name == PIPELINES else ""
                raise UsageError(
                    f"there is no {name} in {project_dir}: "
                    f"go to the project's folder, or name it with --project-dir{adopt}"
                )
        home = os.environ.get("DAYBREAK_HOME", ".daybreak")
        return cls(project_dir, project_dir / home)

    @property
    def configs(self) -> Mapping[str, PipelineConfig]:
        """The settings in ``pipelines.yml``, by pipeline: of those that can be read."""
        return self._file.pipelines

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all pipelines in ``pipelines.yml``, in its order."""
        return self._file.names

    def config(self, name: str) -> PipelineConfig:
        """Return a pipeline's settings; :class:`UsageError` if it is unknown.

        Raises :class:`ConfigError` if they cannot be read.
        """
        if name in self._file.unreadable:
            raise ConfigError(self._file.unreadable[name])
        return find_config(name, self.configs)

    @cached_property
    def dbt(self) -> Path | None:
        """The dbt of another environment that DAYBREAK_DBT or ``pipelines.yml`` names, if one does.

        Raises :class:`ConfigError` if it is not there, or cannot be executed.
        """
        if not self.names_dbt:
            return None
        from runner.dbt.elsewhere import find_dbt

        return find_dbt(self.names_dbt, self.project_dir)

    @property
    def names_dbt(self) -> str | None:
        """What DAYBREAK_DBT or ``pipelines.yml`` says, found or not."""
        if named := os.environ.get("DAYBREAK_DBT"):
            return named
        # `runner init` looks at a project that has no such file yet.
        return self._file.dbt if (self.project_dir / PIPELINES).exists() else None

    @cached_property
    def _file(self) -> PipelinesFile:
        path = self.project_dir / PIPELINES
        try:
            return parse_pipelines(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ConfigError("this is not UTF-8 text: save it as UTF-8", path.name) from error
        except OSError as error:
            raise ConfigError(f"it cannot be read ({error.strerror})", path.name) from error

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of the project's windows, known without parsing it."""
        return project_zone(self.project_dir)

    @cached_property
    def fingerprint(self) -> str:
        """The digest of the project's files as they were before an engine read them."""
        found = fingerprint(self.project_dir)
        with suppress(ConfigError):
            # Another dbt may parse otherwise, and tells code otherwise.
            return f"{found} {self.names_dbt}" if self.names_dbt else found
        return found

    @cached_property
    def version(self) -> str:
        """The digest of all that a person edits: the project's files and ``pipelines.yml``."""
        try:
            written = (self.project_dir / PIPELINES).read_bytes()
        except OSError as error:
            raise ConfigError(f"it cannot be read ({error.strerror})", PIPELINES) from error
        return f"{self.fingerprint} {hashlib.sha256(written).hexdigest()}"

    def start_engine(
        self, kind: EngineKind = EngineKind.WARM, environment: Mapping[str, str] | None = None
    ) -> Engine:
        """Start an engine; a warm one imports dbt while the caller goes on.

        ``environment`` is added to that of this process.
        """
        _ = self.fingerprint  # what is saved from now on may or may not be parsed
        if self.dbt is not None:  # which is always run anew: nobody can import it
            from runner.dbt.elsewhere import ElsewhereEngine

            return ElsewhereEngine(self.dbt, self.project_dir, environment)
        cache = self.home / "cache" / "kept_by_dbt"
        if kind is EngineKind.PLAIN:
            from runner.dbt.plain import PlainEngine

            return PlainEngine(self.project_dir, environment, cache)
        from runner.dbt.warm import WarmEngine

        return WarmEngine(self.project_dir, environment, cache)

    @contextmanager
    def engine_on_demand(self, kind: EngineKind) -> Iterator[Callable[[], Engine]]:
        """Give an engine that is started when first asked for, and closed at the end."""
        with ExitStack() as stack:
            yield cache(lambda: stack.enter_context(self.start_engine(kind)))

    def project(self, engine: Engine | None = None) -> Project:
        """Return the parsed project: that of the last parse while it holds, else parsed anew.

        It is read once, as the fingerprint is: one command sees one project.
        """
        if not self.is_parsed:
            with nullcontext(engine) if engine else self.start_engine() as parser:
                self._read.append(self._parse(parser))
        if self._read[0].needs_package:
            _ = self._has_package
        return self._read[0]

    @cached_property
    def _has_package(self) -> bool:
        """True, once it has been looked for: who asks for the project asks many times."""
        require_package(self.project_dir)
        return True

    @cached_property
    def last_parse(self) -> Project | None:
        """The project as it was parsed last, whatever was edited since; None if it never was."""
        return Project.load(self.home / _KEPT_PROJECT)

    @property
    def is_parsed(self) -> bool:
        """True if the project as it is now has been parsed, by this command or one before."""
        if not self._read:
            kept = self.last_parse
            if (
                kept is not None
                and kept.is_current(self.fingerprint)
                and kept.knows(self._selections)
            ):
                self._read.append(kept)
        return bool(self._read)

    def parse(self, engine: Engine) -> Project:
        """Parse the project anew, whatever was kept: this is what the engine will run."""
        self._read[:] = [self._parse(engine).with_texts(self.project_dir)]
        return self._read[0]

    def code_texts(self) -> Mapping[str, str]:
        """Return the texts of the present code of every node by digest, as it was parsed."""
        return self.project().code_texts(self.home / _KEPT_PROJECT)

    def pipeline(self, name: str, engine: Engine | None = None) -> Pipeline:
        """Make a pipeline of its settings and its models; :class:`UsageError` if unknown."""
        return make_pipeline(name, self.config(name), self.project(engine))

    def planner(self, name: str, engine: Engine | None = None) -> Planner:
        """Make the planner of a pipeline."""
        project, pipeline = self.project(engine), self.pipeline(name, engine)
        files = InputFiles(pipeline, project, self.project_dir)
        inputs_of = Landings(project, self.project_dir).inputs_of
        return Planner(pipeline, self.ledger, inputs_of, files)

    def tracer(self, now: datetime, files_at: datetime) -> Tracer:
        """Make what traces single windows, as of a time; files as of one of their machine."""
        from runner.explain.lineage import Tracer

        project = self.project()
        planners = {name: self.planner(name) for name in self.configs}
        landings = Landings(project, self.project_dir)
        return Tracer(project, planners, self.ledger, landings.landed, now, files_at)

    def require(self, pipeline: str) -> str:
        """Return the name of a pipeline; :class:`UsageError` if there is none of it."""
        if pipeline not in self.names:
            find_config(pipeline, self.configs)
        return pipeline

    def chosen(
        self,
        pipeline: str | None,
        select: Sequence[str],
        exclude: Sequence[str] = (),
        engine: Engine | None = None,
    ) -> tuple[str, ...]:
        """Return the names of what somebody selects of a pipeline, or of all; empty: everything.

        Names are taken as they are; anything else is dbt's selection syntax, which dbt resolves,
        and then what is not replayable is taken only if it is named. Raises :class:`UsageError`
        for what selects nothing, :class:`ProjectError` for what dbt does not take.
        """
        words, without = " ".join(select).split(), " ".join(exclude).split()
        if not words and not without:
            return ()
        known = {node.name for node in self.project(engine).data_nodes}
        if not without and known.issuperset(words):
            return tuple(words)
        try:
            chosen = selection(" ".join(words) or "*")
            asked = selection_of(chosen, selection(" ".join(without)) if without else None)
        except ValueError as error:
            raise UsageError(f"--select: {error}") from error
        if not self.project(engine).knows({asked}):
            self._asked.add(asked)
            self._read.clear()
        project = self.project(engine)
        within = self.pipeline(pipeline, engine).data_nodes if pipeline else project.data_nodes
        if asked in project.refused:
            raise ProjectError(project.refused[asked])
        found = set(project.selections[asked])
        names = tuple(
            node.name
            for node in within
            if node.unique_id in found and (node.is_replayable or node.name in words)
        )
        if not names:
            hint = nearest(words[0], known) if words else ""
            place = f" in {pipeline}" if pipeline else ""
            raise UsageError(f"--select {asked} selects no model, seed or snapshot{place}.{hint}")
        return names

    def named(self, pipeline: str | None) -> tuple[str, ...]:
        """Return the name of one pipeline, or all names; :class:`UsageError` if it is unknown."""
        if pipeline is None:
            return self.names
        return (self.require(pipeline),)

    @cached_property
    def ledger_location(self) -> Path | str:
        """The ledger's place: an SQLite file in the home folder, or the URL of DAYBREAK_LEDGER.

        A ledger is about one warehouse; in one home folder every target has its own.
        """
        if url := os.environ.get("DAYBREAK_LEDGER"):
            return url
        file, place = self.home / "ledger.db", self._place
        if place is None or bound_place(file) in (None, place):
            return file
        digest = hashlib.sha256(place.encode()).hexdigest()[:8]
        return file.with_name(f"ledger-{digest}.db")

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the target's warehouse, created if there is none.

        Raises :class:`LedgerError` if the one that DAYBREAK_LEDGER names is about another.
        """
        ledger, place = Ledger.open(self.ledger_location), self._place
        if place is not None and (bound := ledger.warehouses.bind(place)) != place:
            raise LedgerError(
                f"the ledger of DAYBREAK_LEDGER is about {bound}, and this target writes {place}: "
                "name another ledger for it"
            )
        return ledger

    @cached_property
    def _place(self) -> str | None:
        """Which warehouse the target writes; None: the project cannot be read, so nobody knows."""
        with suppress(ProjectError, EngineError):
            target = self.project().target
            return f"{place_of(target, self.project_dir)}, schema {target.schema}"
        return None

    @property
    def _selections(self) -> set[str]:
        return {config.selection for config in self.configs.values()} | self._asked

    def _parse(self, engine: Engine) -> Project:
        try:
            description = engine.describe(sorted(self._selections))
        except ProjectError as error:
            raise explained(self.project_dir, error) from error
        project = Project.from_description(description, self.project_dir, self.fingerprint)
        try:
            project.save(self.home / _KEPT_PROJECT)
        except OSError as error:
            raise UsageError(
                f"{self.home} cannot be written ({error.strerror}): make it writable, "
                "or name another folder with DAYBREAK_HOME"
            ) from error
        return project
