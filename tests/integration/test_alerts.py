"""Alerts that really arrive: by mail and over the web, whoever is down or dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.alerting.delivery import OutboxSender, queue_incidents
from runner.alerting.pings import Pinger
from runner.core.config import PipelineConfig
from runner.core.environment import Environment
from runner.core.incidents import Incident
from runner.core.spans import Spans
from runner.core.timelines import Timeline
from runner.ledger import Ledger
from tests.conftest import REPOSITORY, RUNNER
from tests.integration.alert_child import FAILED, QUARTER, pipeline_telling
from tests.receivers import Mailbox, Web, mail_server, silent_port, web_server

SECRET = "s3cret-t0ken"  # noqa: S105 - planted, to be looked for
ALL_FAILED = Timeline([(QUARTER, FAILED)])
NOTHING: Timeline[Incident] = Timeline()
TITLE = "orders: 92 windows failed, 2026-03-01 … 2026-05-31"


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port on which nobody listens."""
    with silent_port() as port:
        yield port


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def url_of(port: int) -> str:
    return f"json://me:{SECRET}@127.0.0.1:{port}/{SECRET}/"


@dataclass
class Runner:
    """Passes over one ledger, at a time that sleeping moves on."""

    location: Path
    urls: tuple[str, ...]
    now: datetime = datetime(2026, 6, 19, 5, tzinfo=UTC)
    lines: list[str] = field(default_factory=list)

    def look(
        self, current: Timeline[Incident], patience: timedelta = timedelta(0), **named: str
    ) -> int:
        """One pass; returns how many messages were sent."""
        pipeline = pipeline_telling(*self.urls)
        ledger = Ledger.open(self.location)
        world = Environment(lambda: self.now, lambda: 0.0, self._sleep, lambda: 1.0)
        queue_incidents(ledger, pipeline, current, Spans(), self.now)
        delivery = OutboxSender(ledger, {"orders": pipeline.config}, named, world).deliver(patience)
        ledger.close()
        self.lines += delivery
        return sum(line.startswith("told: ") for line in delivery)

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_each_change_is_one_message_over_the_web(location: Path, web: Web):
    runner = Runner(location, (url_of(web.port),))
    for state in (ALL_FAILED, ALL_FAILED, NOTHING, NOTHING):
        runner.look(state)
    assert web.titles == [TITLE, "orders: 92 windows recovered, 2026-03-01 … 2026-05-31"]
    assert [body["type"] for _, _, body in web.requests] == ["failure", "success"]
    assert web.requests[0][2]["message"].splitlines()[:3] == [
        "2026-03-01 … 2026-05-31 (92 windows)",
        "why: no file matches data/*.csv",
        "do: runner retry orders",
    ]


def test_each_change_is_one_mail(location: Path, mailbox: Mailbox):
    runner = Runner(location, (mailbox.url,))
    for state in (ALL_FAILED, ALL_FAILED, NOTHING, NOTHING):
        runner.look(state)
    assert [str(mail["Subject"]) for mail in mailbox.mails] == [
        TITLE,
        "orders: 92 windows recovered, 2026-03-01 … 2026-05-31",
    ]
    text = mailbox.mails[0].get_content()
    assert "why: no file matches data/*.csv" in text
    assert "do: runner retry orders" in text


def test_a_receiver_that_comes_back_is_told_in_order(location: Path, nobody: int):
    runner = Runner(location, (url_of(nobody),))
    assert runner.look(ALL_FAILED) == 0
    assert runner.look(NOTHING) == 0
    with web_server(nobody) as web:
        web.status = 503
        runner.now += timedelta(minutes=1)
        assert runner.look(NOTHING) == 0
        web.status = 200
        runner.now += timedelta(minutes=1)
        assert runner.look(NOTHING) == 2
        assert runner.look(NOTHING) == 0
        assert [title.split()[3] for title in web.titles] == ["failed,", "recovered,"]
    place = "not told by alerts[0] of pipeline 'orders'"
    assert runner.lines[:2] == [
        f"{place}: nobody listens there ({TITLE})",
        f"{place}: the server answered with status 503 ({TITLE})",
    ]


def test_the_mail_arrives_when_the_web_is_down(location: Path, mailbox: Mailbox, nobody: int):
    runner = Runner(location, (url_of(nobody), mailbox.url))
    assert runner.look(ALL_FAILED, patience=timedelta(minutes=2)) == 1
    assert len(mailbox.mails) == 1
    assert len(runner.lines) == 4


def test_a_url_that_is_none_is_named_by_its_place(location: Path, web: Web):
    runner = Runner(location, (f"slack://{SECRET}", "json://127.0.0.1:${PORT}/"))
    assert runner.look(ALL_FAILED, PORT=str(web.port)) == 1
    assert runner.lines[0].startswith(
        "not told by alerts[0] of pipeline 'orders': it is not a URL that Apprise knows"
    )


def test_who_is_added_later_is_told_what_is_wrong_then(location: Path, web: Web):
    nobody = Runner(location, ())
    nobody.look(ALL_FAILED)
    nobody.look(NOTHING)
    nobody.look(ALL_FAILED)
    assert Runner(location, (url_of(web.port),)).look(ALL_FAILED) == 1
    assert web.titles == [TITLE]


# A process that is killed, and the next.


def a_pass(location: Path, state: str, *urls: str, crash: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.alert_child", str(location), state, *urls],
        cwd=REPOSITORY,
        env={**os.environ, "DAYBREAK_CRASH": crash},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), err
    return out + err


@dataclass(frozen=True)
class Receiver:
    """A web or a mail server, and how many messages it has taken."""

    url: str
    count: Callable[[], int]


@pytest.fixture(params=["web", pytest.param("mail", marks=pytest.mark.slow)])
def receiver(request: pytest.FixtureRequest) -> Receiver:
    if request.param == "web":
        web: Web = request.getfixturevalue("web")
        return Receiver(url_of(web.port), lambda: len(web.requests))
    mailbox: Mailbox = request.getfixturevalue("mailbox")
    return Receiver(mailbox.url, lambda: len(mailbox.mails))


@pytest.mark.parametrize(
    ("point", "before", "after"),
    [("alert-told", 0, 1), ("alert-taken", 0, 1), ("alert-sent", 1, 2)],
)
def test_a_kill_loses_nothing_and_doubles_one_at_most(
    location: Path, receiver: Receiver, point: str, before: int, after: int
):
    killed = a_pass(location, "failed", receiver.url, crash=point)
    assert SECRET not in ended(killed)
    assert killed.returncode == -signal.SIGKILL
    assert receiver.count() == before
    for _ in range(2):
        assert SECRET not in ended(a_pass(location, "failed", receiver.url))
    assert receiver.count() == after


def test_processes_at_once_send_each_message_once(location: Path, web: Web):
    Ledger.open(location).close()
    for state in ("failed", "recovered", "failed"):
        together = [a_pass(location, state, url_of(web.port)) for _ in range(3)]
        assert sum(ended(process).count("told: ") for process in together) == 1
    assert [title.split()[3] for title in web.titles] == ["failed,", "recovered,", "failed,"]


# No secret gets out, and nothing slow is imported for nothing.


def test_a_token_is_neither_logged_nor_kept(location: Path, tmp_path: Path, web: Web, nobody: int):
    web.status = 401
    urls = (url_of(web.port), url_of(nobody), f"slack://{SECRET}", "json://${UNSET}@h")
    said = [ended(a_pass(location, "failed", *urls)) for _ in range(2)]
    assert said[0].count("not told by") >= 1
    assert SECRET not in "".join(said)
    assert "the server refuses the credentials" in "".join(said)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"orders: 92 windows failed" in kept
    assert SECRET.encode() not in kept


def test_nothing_to_send_imports_nothing_that_sends(location: Path):
    script = (
        "import sys; from pathlib import Path; from runner.core.timelines import Timeline; "
        "from tests.integration.alert_child import one_pass; "
        f"one_pass(Path({str(location)!r}), Timeline(), 'json://127.0.0.1:1/'); "
        "print(sorted({'apprise', 'requests', 'urllib3', 'smtplib'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


# The dead-man's switch.


def test_a_switch_hears_of_every_pass(web: Web):
    url = f"http://127.0.0.1:{web.port}/{SECRET}?create=1"
    pinger = Pinger.of("orders", PipelineConfig(select="a", ping="${PING}"), {"PING": url})
    assert [pinger.start(), pinger.success(), pinger.fail()] == [None] * 3
    assert web.paths == [f"/{SECRET}{end}?create=1" for end in ("/start", "", "/fail")]


def test_a_switch_may_ask_for_a_password(web: Web):
    ping = f"http://me:p%40ss@127.0.0.1:{web.port}/key"
    assert Pinger.of("orders", PipelineConfig(select="a", ping=ping), {}).start() is None
    assert web.credentials == ["Basic " + b64encode(b"me:p@ss").decode()]


def test_a_switch_out_of_order_is_one_line(web: Web, nobody: int):
    for port, status, why in (
        (web.port, 404, "the server answered with status 404"),
        (nobody, 0, "nobody listens there"),
    ):
        web.status = status
        ping = f"http://me:{SECRET}@127.0.0.1:{port}/{SECRET}"
        pinger = Pinger.of("orders", PipelineConfig(select="a", ping=ping), {})
        assert pinger.fail() == f"ping of pipeline 'orders' was not told: {why}"


# runner alerts


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "dbt_project.yml").write_text("name: shop\n")
    return folder


def runner_alerts(project: Path, *arguments: str, **named: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [RUNNER, "alerts", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **named},
        capture_output=True,
        text=True,
        check=False,
    )
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def configure(project: Path, **keys: object) -> None:
    orders = {"select": "a", **keys}
    pipelines = {"orders": orders, "returns": {"select": "b"}}
    (project / "pipelines.yml").write_text(json.dumps({"pipelines": pipelines}))


def test_trying_channels_that_work(project: Path, web: Web, mailbox: Mailbox):
    ping = f"http://127.0.0.1:{web.port}/{SECRET}"
    configure(project, alerts=["${ALERT_URL}", mailbox.url], ping=ping)
    code, out, err = runner_alerts(project, "test", ALERT_URL=url_of(web.port))
    assert (code, err) == (0, "")
    assert out == (
        "pipeline | channel   | by     | is\n"
        "=========+===========+========+===\n"
        "orders   | alerts[0] | json   | ok\n"
        "orders   | alerts[1] | mailto | ok\n"
        "orders   | ping      | http   | ok\n"
        "\n3 channels tried\n"
    )
    assert web.requests[0][2]["title"] == "orders: this is a test"
    assert web.requests[1][:2] == ("GET", f"/{SECRET}")
    assert str(mailbox.mails[0]["Subject"]) == "orders: this is a test"


def test_trying_channels_that_do_not(project: Path, web: Web, nobody: int):
    web.status = 500
    urls = [url_of(web.port), f"slack://{SECRET}", "${ALERT_URL}", url_of(nobody)]
    configure(project, alerts=urls, ping="file:///etc/passwd")
    code, out, _ = runner_alerts(project, "test", "orders", "--format", "json")
    assert code == 1
    tried = json.loads(out)
    assert [(one["channel"], one["scheme"], one["is_ok"]) for one in tried] == [
        ("alerts[0]", "json", False),
        ("alerts[1]", None, False),
        ("alerts[2]", None, False),
        ("alerts[3]", "json", False),
        ("ping", None, False),
    ]
    assert tried[0]["problem"] == "the server answered with status 500"
    assert "ALERT_URL, which is not set" in tried[2]["problem"]


def test_trying_where_nobody_is_told(project: Path):
    configure(project, alerts=["json://localhost/"])
    code, out, err = runner_alerts(project, "test", "returns")
    assert (code, out) == (2, "")
    assert err.startswith("runner: nobody is told of returns: write `alerts:` or `ping:` in")


@pytest.mark.slow
def test_listing_what_waits(project: Path, nobody: int):
    configure(project, alerts=[url_of(nobody)])
    code, out, _ = runner_alerts(project, "list")
    assert (code, out) == (0, "every message has been sent\n")
    home = project / ".daybreak" / "ledger.db"
    runner = Runner(home, (url_of(nobody),))
    runner.look(ALL_FAILED)
    code, out, _ = runner_alerts(project, "list", "orders")
    assert (code, out.splitlines()[2]) == (
        0,
        f"orders   | 2026-06-19 05:00 | {TITLE} | 1        | 2026-06-19 05:00 | "
        "nobody listens there",
    )
    code, out, _ = runner_alerts(project, "list", "--format", "json")
    (waiting,) = json.loads(out)
    assert (waiting["title"], waiting["attempts"]) == (TITLE, 1)
    assert json.loads(runner_alerts(project, "list", "returns", "--format", "json")[1]) == []
