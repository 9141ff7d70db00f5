"""Killing an invocation from outside: real processes, in every order of what may happen."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from runner.dbt.engine import InvocationGroup

WITH_A_CHILD = (
    "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=sys.stdin); "
    "print(child.pid, flush=True); child.wait()"
)


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[str]]:
    """A process with a child in a group of its own; both would wait for ever."""
    with subprocess.Popen(
        [sys.executable, "-c", WITH_A_CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def in_a_thread(group: InvocationGroup) -> None:
    thread = threading.Thread(target=group.kill)
    thread.start()
    thread.join()


def assert_ended(leader: subprocess.Popen[str]) -> None:
    """It was killed, and so was its child, the last to hold the other end of the pipe."""
    assert leader.stdout is not None
    leader.stdout.read()
    assert leader.wait() == -signal.SIGKILL


def test_a_kill_ends_the_whole_group(leader: subprocess.Popen[str]):
    group = InvocationGroup()
    assert leader.stdout is not None
    leader.stdout.readline()  # its child is there
    with group.invocation():
        group.started(leader.pid)
        assert group.is_led
        in_a_thread(group)
        assert_ended(leader)


def test_a_kill_before_there_is_a_process_is_not_forgotten(leader: subprocess.Popen[str]):
    group = InvocationGroup()
    with group.invocation():
        in_a_thread(group)
        assert leader.poll() is None
        group.started(leader.pid)
        assert_ended(leader)


def test_a_kill_between_two_invocations_kills_neither(leader: subprocess.Popen[str]):
    group = InvocationGroup()
    group.kill()
    with group.invocation():
        pass
    group.kill()
    with group.invocation():
        group.started(leader.pid)
        assert leader.poll() is None


def test_a_kill_is_for_one_invocation(leader: subprocess.Popen[str]):
    group = InvocationGroup()
    with group.invocation():
        group.kill()
    with group.invocation():
        group.started(leader.pid)
        assert leader.poll() is None


def test_whoever_has_ended_is_never_signalled(
    leader: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
):
    """Its id may be somebody else's by now."""
    signalled: list[int] = []
    group = InvocationGroup()
    with group.invocation():
        group.started(leader.pid)
        group.ended()
        assert not group.is_led
        with monkeypatch.context() as patched:
            patched.setattr(os, "killpg", lambda pid, _: signalled.append(pid))
            in_a_thread(group)
    with monkeypatch.context() as patched:
        patched.setattr(os, "killpg", lambda pid, _: signalled.append(pid))
        in_a_thread(group)
    assert signalled == []


def test_an_invocation_that_is_over_leaves_nothing_to_kill(leader: subprocess.Popen[str]):
    group = InvocationGroup()

    def interrupted() -> None:
        with group.invocation():
            group.started(leader.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    in_a_thread(group)
    assert leader.poll() is None
