"""What a process knows of the provider beyond one call, in one object.

It is made at start and found by `current`; nothing in it is lost for good with the process, for all of
it is learnt again from the next calls.
"""

from asyncio import AbstractEventLoop
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from usage.llm.breaker import Breakers
from usage.llm.client import Clients
from usage.llm.estimate import Density
from usage.llm.fanout import Prefixes
from usage.llm.flights import Flights
from usage.llm.patience import Patience
from usage.llm.values import Reply


@dataclass
class Runtime:
    """One process's breakers, connections and learnt numbers."""

    breakers: Breakers = field(default_factory=Breakers)
    clients: Clients = field(default_factory=Clients)
    density: Density = field(default_factory=Density)
    _patience: WeakKeyDictionary[AbstractEventLoop, Patience] = field(
        default_factory=WeakKeyDictionary
    )
    _prefixes: WeakKeyDictionary[AbstractEventLoop, Prefixes] = field(
        default_factory=WeakKeyDictionary
    )

    _flights: WeakKeyDictionary[AbstractEventLoop, Flights[Reply]] = field(
        default_factory=WeakKeyDictionary
    )

    def flights(self, loop: AbstractEventLoop) -> Flights[Reply]:
        """Return the calls of an event loop that identical ones wait for."""
        return self._flights.setdefault(loop, Flights())

    def patience(self, loop: AbstractEventLoop) -> Patience:
        """Return the callers of an event loop that wait for money."""
        return self._patience.setdefault(loop, Patience())

    def prefixes(self, loop: AbstractEventLoop) -> Prefixes:
        """Return what an event loop knows of the prompts it has sent."""
        return self._prefixes.setdefault(loop, Prefixes())


_runtime = Runtime()


def current() -> Runtime:
    """Return this process's runtime."""
    return _runtime


def reset() -> None:
    """Start anew, as a new process does."""
    global _runtime  # the one place
    _runtime = Runtime()
