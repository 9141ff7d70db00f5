"""Real receivers of alerts, on this machine: a web server and a mail server."""

from __future__ import annotations

import json
import socket
from asyncio import AbstractServer
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Web:
    """A web server, and what it has been sent; ``status`` is what it answers."""

    port: int
    status: int = 200
    requests: list[tuple[str, str, Any]] = field(default_factory=list)  # method, path, JSON
    credentials: list[str | None] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        """The titles of the messages that it has taken, in the order in which they came."""
        return [body["title"] for _, _, body in self.requests]

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port on which nobody listens, kept from every other process until the end of the block.

    A server that reuses addresses, as ``web_server`` does, may still open it.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield int(keeper.getsockname()[1])


@contextmanager
def web_server(port: int = 0) -> Iterator[Web]:
    """A web server that runs until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(json.loads(text) if text else None)

        def do_GET(self) -> None:
            self._answer(None)

        def _answer(self, body: Any) -> None:
            if web.status < 300:
                web.requests.append((self.command, self.path, body))
                web.credentials.append(self.headers.get("Authorization"))
            self.send_response(web.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    web = Web(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Mailbox:
    """A mail server, and the mails that it has taken."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    @property
    def url(self) -> str:
        """Its URL, as Apprise reads it."""
        return (
            f"mailto://127.0.0.1:{self.port}/?from=daybreak@example.org&to=oncall@example.org"
            "&mode=insecure"
        )


class PostOffice(Controller):
    """A mail server on a socket that is bound before: a port that is looked up may be taken."""

    def __init__(self, mailbox: Mailbox, bound: socket.socket) -> None:
        super().__init__(mailbox, hostname="127.0.0.1", port=mailbox.port)
        self._bound = bound

    def _create_server(self) -> Awaitable[AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._bound)


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mail server that runs until the end of the block."""
    bound = socket.create_server(("127.0.0.1", 0))
    mailbox = Mailbox(int(bound.getsockname()[1]))
    controller = PostOffice(mailbox, bound)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@contextmanager
def dripping_server() -> Iterator[tuple[int, Event]]:
    """A server that answers with a byte of a header now and then; its port, and when it ends."""
    is_over = Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not is_over.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=drip, args=(listening,))
        thread.start()
        try:
            yield int(listening.getsockname()[1]), is_over
        finally:
            is_over.set()
            thread.join()
