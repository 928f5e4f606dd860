"""What a Dask client hears, shared by all runs on it: workers come and go, blocks get on.

A client has one handler per topic, so two runs that subscribed for themselves would deafen each
other, and the user's own handler with them.
"""

import threading
from collections.abc import Callable
from typing import Any, ClassVar, Protocol
from weakref import WeakValueDictionary

from distributed import Client

_ALL = "all"  # the scheduler's own topic; far more than workers is said there
_ACTIONS = ("add-worker", "remove-worker")


class Listener(Protocol):
    """What a run's pool hears; called on the client's event loop, so it must not wait."""

    def on_cluster(self, event: dict[str, Any]) -> None:
        """Take word of a worker that came or went."""

    def on_report(self, run: str, body: bytes) -> None:
        """Take what a running block of some run says about itself."""


class Hub:
    """The subscriptions of one client; they last as long as there are listeners.

    Attributes
    ----------
    topic : str
        Where blocks report to; one per client, so that users and runs do not mix.
    """

    # by client id; the client itself keeps its hub, as the handler of its topics
    _hubs: ClassVar["WeakValueDictionary[str, Hub]"] = WeakValueDictionary()
    _lock = threading.Lock()

    def __init__(self, client: Client) -> None:
        self.topic = topic_of(client.id)
        self._client: Any = client  # its topics have no types
        self._listeners: list[Listener] = []
        self._line: Any = None  # to the scheduler that was told of us
        self._before: Callable[[Any], Any] | None = None

    @classmethod
    def join(cls, client: Client, listener: Listener) -> "Hub":
        """Let a listener hear, and return the client's hub."""
        with cls._lock:
            hub = cls._hubs.get(client.id)
            if hub is None:
                hub = cls._hubs[client.id] = cls(client)
            hub._listeners = [*hub._listeners, listener]
            if len(hub._listeners) == 1:
                hub._subscribe()
            return hub

    def leave(self, listener: Listener) -> None:
        """Let a listener hear no more; after the last, leave the client as it was."""
        with self._lock:
            self._listeners = [other for other in self._listeners if other is not listener]
            if self._listeners or self._client.status != "running":
                return
            if self._before is not None:
                self._client.subscribe_topic(_ALL, self._before)
            else:
                self._client.unsubscribe_topic(_ALL)
            self._client.unsubscribe_topic(self.topic)

    def renew(self) -> None:
        """Subscribe again if the client has another scheduler, which knows of nothing."""
        with self._lock:
            if self._client.scheduler_comm is not self._line:
                self._subscribe()

    def _subscribe(self) -> None:
        self._line = self._client.scheduler_comm
        before = self._client._event_handlers.get(_ALL)
        if before != self._on_cluster:  # a client keeps handlers that it has unsubscribed
            self._before = before
        self._client.subscribe_topic(_ALL, self._on_cluster)
        self._client.subscribe_topic(self.topic, self._on_report)

    def _on_cluster(self, event: tuple[float, Any]) -> Any:
        _, message = event
        if isinstance(message, dict) and message.get("action") in _ACTIONS:
            for listener in self._listeners:
                listener.on_cluster(message)
        return None if self._before is None else self._before(event)

    def _on_report(self, event: tuple[float, Any]) -> None:
        _, message = event
        for listener in self._listeners:
            listener.on_report(message["run"], message["body"])


def topic_of(client_id: str) -> str:
    """Return the topic that blocks of one client report to."""
    return f"exmc-{client_id}"
