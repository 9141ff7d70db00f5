"""The command line, run inside this process as if it had been started in a folder."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from runner.entry import main
from runner.ledger import Ledger
from tests.warm_dbt import forked_servers


@contextmanager
def _place(
    folder: Path, environment: Mapping[str, str], arguments: tuple[str, ...]
) -> Iterator[None]:
    """What a process of its own would find around it, for a while."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        pytest.MonkeyPatch.context() as patch,
        Path(os.devnull).open() as nothing,
        forked_servers(),
        ExitStack() as ledgers,
    ):
        # Its end would close them: what a test then does to the file must be seen.
        opened = Ledger.open
        patch.setattr(Ledger, "open", lambda at: ledgers.enter_context(closing(opened(at))))
        patch.chdir(folder)
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            if os.environ.get(name) != value:
                patch.setenv(name, value)
        patch.setattr(sys, "argv", ["runner", *arguments])
        patch.setattr(sys, "stdin", nothing)
        before = dict(os.environ)
        try:
            yield
        finally:
            os.environ.clear()  # options of a command line become variables
            os.environ.update(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def run(
    folder: Path, environment: Mapping[str, str], arguments: tuple[str, ...]
) -> tuple[int, str, str]:
    """Run it; returns its exit code, and what it has written to stdout and stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = None
    with _place(folder, environment, arguments), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        except BaseException:  # what the interpreter does with it
            traceback.print_exc()
            code = 1
    told, warned = (stream.buffer.getvalue().decode() for stream in (out, err))
    return code if isinstance(code, int) else int(code is not None), told, warned
