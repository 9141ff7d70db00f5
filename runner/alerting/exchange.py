"""An exchange with a server that has to be over in time, however slowly the server speaks.

A timeout of a socket begins anew with each byte: a server that drips holds it for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

SECONDS = 5.0  # for the whole of it, from the connection to the last byte


def within(exchange: Callable[[], T], seconds: float) -> T:
    """Return what an exchange returns, which raises nothing; TimeoutError if it takes longer.

    One that takes longer goes on in a thread of its own, which keeps nothing from ending.
    """
    answers: SimpleQueue[T] = SimpleQueue()
    Thread(target=lambda: answers.put(exchange()), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
