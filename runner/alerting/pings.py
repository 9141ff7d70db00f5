"""Ping the dead-man's switch: an outside service that is told of every pass, and misses us.

Whoever watches from this machine dies with it. A service such as healthchecks.io is pinged when
a pass starts, when it has succeeded and when it has failed, and raises the alarm itself when
nothing comes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote, urlsplit, urlunsplit

from runner.alerting.channels import Channel
from runner.alerting.exchange import SECONDS, within
from runner.core.config import PipelineConfig
from runner.core.errors import ConfigError

Fetch = Callable[[str], str | None]  # a URL → why it could not be fetched, in our own words


@dataclass(frozen=True)
class Pinger:
    """Tells a pipeline's dead-man's switch what it does; without one it tells nobody.

    Each answer is a line for the log if it could not be told, and harms nothing.
    """

    channel: Channel | None
    variables: Mapping[str, str] = field(repr=False)
    fetch: Fetch

    @classmethod
    def of(
        cls,
        name: str,
        config: PipelineConfig,
        variables: Mapping[str, str],
        fetch: Fetch | None = None,
    ) -> Pinger:
        """Make the pinger of a pipeline."""
        channel = Channel(f"ping of pipeline '{name}'", config.ping) if config.ping else None
        return cls(channel, variables, fetch or fetched)

    def start(self) -> str | None:
        """Tell that a pass has begun."""
        return self._told("/start")

    def success(self) -> str | None:
        """Tell that a pass has ended well."""
        return self._told("")

    def fail(self) -> str | None:
        """Tell that a pass has ended, and something of it failed."""
        return self._told("/fail")

    def _told(self, suffix: str) -> str | None:
        if self.channel is None:
            return None
        try:
            why_not = self.fetch(ping_url(self.channel.url(self.variables), suffix))
        except ConfigError as error:
            return str(error)
        return f"{self.channel.place} was not told: {why_not}" if why_not else None


def ping_url(url: str, suffix: str) -> str:
    """Return the URL of a signal; what follows a question mark stays at the end.

    >>> ping_url("https://hc-ping.com/key/orders/?create=1", "/start")
    'https://hc-ping.com/key/orders/start?create=1'
    """
    path, question, query = url.partition("?")
    return f"{path.rstrip('/')}{suffix}{question}{query}" if suffix else url


def fetched(url: str) -> str | None:
    """Fetch a URL; return in our own words why not, None if it was. Never raises, soon over."""
    try:
        return within(partial(_fetched, url), SECONDS)
    except TimeoutError as error:
        return _in_words(error)


def _fetched(url: str) -> str | None:
    from urllib.error import HTTPError, URLError  # only here: slow to import
    from urllib.request import Request, urlopen

    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "it is not a URL that begins with https://"
        credentials, at, host = parts.netloc.rpartition("@")
        request = Request(urlunsplit(parts._replace(netloc=host)))  # noqa: S310 - see above
        if at:
            basic = b64encode(unquote(credentials).encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        with urlopen(request, timeout=SECONDS):  # noqa: S310 - see above
            return None
    except HTTPError as error:
        return f"the server answered with status {error.code}"
    except URLError as error:
        return _in_words(error.reason)
    except Exception as error:  # of http.client; its words may quote the URL
        return _in_words(error)


def _in_words(reason: object) -> str:
    from socket import gaierror
    from ssl import SSLError

    words: tuple[tuple[type[BaseException], str], ...] = (
        (TimeoutError, "the server did not answer in time"),
        (ConnectionRefusedError, "nobody listens there"),
        (gaierror, "there is no such host, or no network"),
        (SSLError, "the server's certificate is not trusted"),
        (ConnectionError, "the server hung up"),
    )
    return next((said for kind, said in words if isinstance(reason, kind)), "it could not be told")
