"""What is in the outbox reaches somebody: which channel is tried when, and what the log says."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner.alerting.channels import Channel, NextAttempt, channels_of
from runner.alerting.delivery import OutboxSender, try_channels
from runner.alerting.pings import Pinger, fetched
from runner.alerting.sending import Refusal, _listen, _refusal, send_by_apprise
from runner.core import interrupts
from runner.core.config import PipelineConfig
from runner.core.environment import Environment
from runner.core.errors import ConfigError, LedgerError
from runner.core.incidents import Incident, IncidentKind
from runner.core.messages import Message, Tone
from runner.core.spans import Spans
from runner.core.timelines import Timeline
from runner.ledger import Ledger
from tests.receivers import dripping_server
from tests.unit.ledger_fixtures import NOW, WEEK, in_child, opened

DOWN = Refusal("nobody listens there")
FIRST, SECOND = "json://first", "json://second"
FAILED = Incident(IncidentKind.FAILED, "no file", "runner retry orders")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened(tmp_path / "ledger.db") as ledger:
        yield ledger


@dataclass
class Network:
    """Channels that are up or down, what was sent over them, and a clock that sleeping moves."""

    now: datetime = NOW
    down: set[str] = field(default_factory=set)
    sent: list[tuple[str, str]] = field(default_factory=list)  # URL, title
    tried: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def send(self, url: str, message: Message) -> Refusal | None:
        self.tried.append(url)
        if url in self.down:
            return DOWN
        self.sent.append((url, message.title))
        return None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    @property
    def titles(self) -> list[str]:
        return [title for _, title in self.sent]

    def post(
        self, ledger: Ledger, *urls: str, environment: Mapping[str, str] | None = None
    ) -> OutboxSender:
        world = Environment(lambda: self.now, lambda: 0.0, self.sleep, lambda: 1.0)
        return OutboxSender(ledger, {"orders": config(*urls)}, environment or {}, world, self.send)


def config(*urls: str, ping: str | None = None) -> PipelineConfig:
    return PipelineConfig(select="a", alerts=urls, ping=ping)


def write(ledger: Ledger, *titles: str, pipeline: str = "orders") -> None:
    """Put messages into the outbox: windows fail one after another."""
    for title in titles:
        told = len(list(ledger.outbox.get_announced(pipeline).where(lambda _: True)))
        failed = Timeline((window.span, FAILED) for window in WEEK[: 2 * (told + 1) : 2])
        message = Message(Tone.FAILURE, title, "why")
        ledger.outbox.announce(
            pipeline, failed, Spans(), lambda *_, message=message: [message], NOW
        )


def count_sent(lines: list[str]) -> int:
    return sum(line.startswith("told: ") for line in lines)


def test_what_is_new_is_sent_once_and_in_order(ledger: Ledger):
    network = Network()
    write(ledger, "failed", "recovered")
    delivery = network.post(ledger, FIRST).deliver()
    assert count_sent(delivery) == 2
    assert delivery == ["told: failed", "told: recovered"]
    assert network.post(ledger, FIRST).deliver() == []
    assert network.titles == ["failed", "recovered"]


def test_a_channel_that_is_down_is_tried_again_later(ledger: Ledger):
    network = Network(down={FIRST})
    write(ledger, "failed", "recovered")
    post = network.post(ledger, FIRST)
    delivery = post.deliver()
    assert delivery == ["not told by alerts[0] of pipeline 'orders': nobody listens there (failed)"]
    assert post.deliver() == []  # it is too early
    network.down.clear()
    network.now += timedelta(seconds=20)
    assert count_sent(post.deliver()) == 2
    assert network.titles == ["failed", "recovered"]


def test_the_second_channel_is_used_when_the_first_keeps_failing(ledger: Ledger):
    network = Network(down={FIRST})
    write(ledger, "failed")
    post = network.post(ledger, FIRST, SECOND)
    assert count_sent(post.deliver(patience=timedelta(minutes=1))) == 1
    assert network.tried == [FIRST, FIRST, FIRST, SECOND]
    assert network.slept == [20, 40]
    write(ledger, "another")  # begins with the first channel again
    network.down.clear()
    post.deliver()
    assert network.sent == [(SECOND, "failed"), (FIRST, "another")]


def test_nobody_waits_longer_than_he_may(ledger: Ledger):
    network = Network(down={FIRST})
    write(ledger, "failed")
    network.post(ledger, FIRST).deliver(patience=timedelta(seconds=30))
    assert network.slept == [20]
    assert network.tried == [FIRST, FIRST]


def test_the_pauses_grow_to_a_quarter_of_an_hour_and_no_message_is_given_up(ledger: Ledger):
    network = Network(down={FIRST, SECOND})
    write(ledger, "failed")
    post = network.post(ledger, FIRST, SECOND)
    post.deliver(patience=timedelta(days=1))
    assert max(network.slept) == 15 * 60
    assert network.slept[-3:] == [900.0] * 3
    assert {url: network.tried.count(url) for url in (FIRST, SECOND)}.keys() == network.down
    network.down.clear()
    network.now += timedelta(minutes=15)
    assert count_sent(post.deliver()) == 1


def test_one_pipeline_does_not_wait_for_the_channel_of_another(ledger: Ledger):
    network = Network(down={FIRST})
    write(ledger, "orders failed")
    write(ledger, "returns failed", pipeline="returns")
    post = network.post(ledger, FIRST)
    both = {**post.configs, "returns": config(SECOND)}
    delivery = OutboxSender(ledger, both, {}, post.environment, network.send).deliver()
    assert count_sent(delivery) == 1
    assert network.sent == [(SECOND, "returns failed")]


def test_a_pipeline_that_is_gone_or_tells_nobody_is_left_alone(ledger: Ledger):
    network = Network()
    write(ledger, "failed")
    assert network.post(ledger).deliver() == []
    nobody = OutboxSender(ledger, {}, {}, network.post(ledger).environment, network.send)
    assert nobody.deliver() == []
    assert len(ledger.outbox.get_unsent()) == 1


def test_a_variable_that_is_not_set_is_named_and_the_next_channel_used(ledger: Ledger):
    network = Network()
    write(ledger, "failed")
    post = network.post(ledger, "json://${TOKEN}@host", SECOND, environment={"TOKEN": ""})
    delivery = post.deliver()
    assert delivery == [
        "not told by alerts[0] of pipeline 'orders': pipelines.yml: alerts[0] of pipeline 'orders' "
        "needs the environment variable TOKEN, which is not set: set it where the runner runs, or "
        "take the entry out. (failed)",
        "told: failed",
    ]
    assert network.tried == [SECOND]


def test_variables_are_read_when_they_are_used(ledger: Ledger):
    network = Network()
    write(ledger, "failed")
    environment = {"USER_1": "me", "TOKEN": "$x{y}"}
    network.post(ledger, "json://${USER_1}:${TOKEN}@h", environment=environment).deliver()
    assert network.tried == ["json://me:$x{y}@h"]
    with pytest.raises(ConfigError, match=r"^pipelines.yml: ping of .* TOKEN, which is not set"):
        Channel("ping of pipeline 'orders'", "${TOKEN}").url({})


def test_a_ledger_that_fails_is_a_line(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    def broken() -> None:
        raise LedgerError("the ledger x cannot be used (disk is full): make room")

    write(ledger, "failed")
    network = Network()
    monkeypatch.setattr(ledger.outbox, "get_unsent", broken)
    delivery = network.post(ledger, FIRST).deliver()
    assert delivery == [
        "alerts cannot be sent: the ledger x cannot be used (disk is full): make room"
    ]


def test_a_mistake_of_ours_is_a_line_that_tells_no_secret(ledger: Ledger):
    def broken(url: str, _message: Message) -> None:
        raise RuntimeError(url)

    write(ledger, "failed")
    world = Network().post(ledger).environment
    post = OutboxSender(ledger, {"orders": config("json://secret@host")}, {}, world, broken)
    assert post.deliver() == ["alerts cannot be sent: unexpected RuntimeError"]
    assert len(ledger.outbox.get_unsent()) == 1


def test_who_dies_while_sending_is_followed_by_the_next(tmp_path: Path, ledger: Ledger):
    write(ledger, "failed")

    def dies() -> int:
        def stop(_url: str, _message: Message) -> Refusal | None:
            raise KeyboardInterrupt

        with opened(tmp_path / "ledger.db") as other:
            post = OutboxSender(
                other, {"orders": config(FIRST)}, {}, Network().post(other).environment, stop
            )
            with pytest.raises(KeyboardInterrupt):
                post.deliver()
        return 0

    in_child(dies)
    network = Network()
    assert count_sent(network.post(ledger, FIRST).deliver()) == 1


def test_an_interrupt_waits_until_the_message_is_marked(ledger: Ledger):
    write(ledger, "failed", "another")
    network = Network()

    def interrupted(url: str, message: Message) -> Refusal | None:
        os.kill(os.getpid(), signal.SIGTERM)
        return network.send(url, message)

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    interrupts.listen()
    try:
        world = network.post(ledger).environment
        with pytest.raises(interrupts.Interrupted):
            OutboxSender(ledger, {"orders": config(FIRST)}, {}, world, interrupted).deliver()
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    assert network.titles == ["failed"]
    assert [one.message.title for one in ledger.outbox.get_unsent()] == ["another"]


def test_every_channel_has_its_turn():
    turn, tried = NextAttempt(0, 3), []
    for _ in range(12):
        tried.append(turn.channel)
        turn = turn.next()
    assert tried == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0]


def test_channels_that_cannot_work_are_not_tried_in_a_circle_without_a_pause():
    turn, waits = NextAttempt(0, 2), []
    for _ in range(4):
        turn = turn.next(is_hopeless=True)
        waits.append(turn.wait(lambda: 0.0).total_seconds())
    assert waits[0] == 0
    assert all(wait >= 10 for wait in waits[1:])


@pytest.mark.parametrize(
    ("logged", "said"),
    [
        ("Failed to send JSON POST notification: Unauthorized, error=401.", "the credentials"),
        ("Failed to send JSON POST notification: error=503.", "answered with status 503"),
        ("HTTPConnectionPool(host='s3cret'): Read timed out. (read timeout=4.0)", "in time"),
        ("[Errno 111] Connection refused", "nobody listens there"),
        ("Failed to resolve 's3cret' ([Errno -2] Name or service not known)", "no such host"),
        ("certificate verify failed: self-signed (s3cret)", "certificate is not trusted"),
        ("(535, b'5.7.8 Error: s3cret')", "the credentials"),
        ("{'s3cret@example.org': (550, b'no such user')}", "refuses the recipient"),
        ("what nobody has thought of: s3cret", "it could not be sent"),
    ],
)
def test_what_libraries_log_is_said_in_our_own_words(logged: str, said: str):
    refusal = _refusal(["A Connection error occurred", logged])
    assert said in refusal.said
    assert "s3cret" not in refusal.said


def test_nothing_that_libraries_log_meanwhile_gets_out(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    names = ("apprise", "urllib3.connectionpool", "requests")
    with caplog.at_level(logging.DEBUG):
        said = _listen()
        for name in names:
            logging.getLogger(name).error("Socket Exception: s3cret")
        assert said == ["s3cret"] * 3
        _listen()
        logging.getLogger("apprise").error("s3cret of another")
    assert said == ["s3cret"] * 3
    assert caplog.records == []
    assert "s3cret" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("through", ["alerts", "ping"])
def test_a_server_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, through: str):
    """It is still dripping when we have gone on."""
    monkeypatch.setattr("runner.alerting.sending.SECONDS", 0.5)
    monkeypatch.setattr("runner.alerting.pings.SECONDS", 0.5)
    with dripping_server() as (port, is_over):
        if through == "ping":
            said = fetched(f"http://127.0.0.1:{port}/")
        else:
            refusal = send_by_apprise(
                f"json://127.0.0.1:{port}/", Message(Tone.INFO, "a title", "a body")
            )
            assert refusal is not None
            said = refusal.said
        assert not is_over.is_set()
    assert said == "the server did not answer in time"


def test_channels_are_named_by_their_place():
    named = [channel.place for channel in channels_of("orders", config(FIRST, SECOND))]
    assert named == ["alerts[0] of pipeline 'orders'", "alerts[1] of pipeline 'orders'"]


def test_a_channel_never_shows_its_url():
    secret = config("json://s3cret@host", ping="https://hc-ping.com/s3cret")
    known = {"TOKEN": "s3cret"}
    assert "s3cret" not in repr([secret, channels_of("orders", secret)])
    assert "s3cret" not in repr(Pinger.of("orders", secret, known))


@dataclass
class Switch:
    """A dead-man's switch that may be out of order."""

    problem: str | None = None
    told: list[str] = field(default_factory=list)

    def fetch(self, url: str) -> str | None:
        self.told.append(url)
        return self.problem


def test_a_switch_is_told_of_start_success_and_failure():
    switch = Switch()
    pinger = Pinger.of(
        "orders", config(ping="https://hc-ping.com/${KEY}"), {"KEY": "k"}, switch.fetch
    )
    assert [pinger.start(), pinger.success(), pinger.fail()] == [None] * 3
    base = "https://hc-ping.com/k"
    assert switch.told == [f"{base}/start", base, f"{base}/fail"]


def test_without_a_switch_nobody_is_told():
    switch = Switch()
    pinger = Pinger.of("orders", config(), {}, switch.fetch)
    assert [pinger.start(), pinger.success(), pinger.fail(), switch.told] == [None] * 3 + [[]]


def test_a_switch_that_cannot_be_told_is_a_line():
    switch = Switch("nobody listens there")
    ping = config(ping="https://hc-ping.com/${KEY}")
    pinger = Pinger.of("orders", ping, {"KEY": "s3cret"}, switch.fetch)
    assert pinger.start() == "ping of pipeline 'orders' was not told: nobody listens there"
    unset = Pinger.of("orders", ping, {}, switch.fetch).start()
    assert unset is not None
    assert "needs the environment variable KEY, which is not set" in unset


@pytest.mark.parametrize("url", ["file:///etc/passwd", "s3cret", "https://", "http://[s3cret"])
def test_a_switch_is_on_the_web(url: str):
    (tried,) = try_channels({"orders": config(ping=url)}, ["orders"], {}, Network().send, fetched)
    assert tried.problem is not None
    assert "s3cret" not in tried.problem
    assert "s3cret" not in str(tried.scheme)


def test_every_channel_is_tried_not_only_the_first():
    network, switch = Network(down={FIRST}), Switch()
    configs = {
        "orders": config(FIRST, SECOND, "slack://${TOKEN}", ping="https://hc-ping.com/k"),
        "returns": config(),
    }
    tried = try_channels(configs, configs, {}, network.send, switch.fetch)
    assert [(one.pipeline, one.channel, one.scheme, one.problem is None) for one in tried] == [
        ("orders", "alerts[0]", "json", False),
        ("orders", "alerts[1]", "json", True),
        ("orders", "alerts[2]", None, False),
        ("orders", "ping", "https", True),
    ]
    assert network.titles == ["orders: this is a test"]
