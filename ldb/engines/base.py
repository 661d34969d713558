"""What an engine is: it runs one function over a stream of items, and gives results in order.

A worker writes what it makes where everybody finds it, and answers with what the driver needs to
go on. Implementations: `local.py`, `cluster.py`. Why it is so: docs/design/015-scale-out.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Worker(Protocol[Item_contra, Result_co]):
    """What does items; it lives in one process and is used by one thread at a time."""

    def do(self, item: Item_contra) -> Result_co:
        """Do one item; an `LdbError` ends the run."""
        ...

    def settle(self) -> None:
        """Make everything that was done so far durable; it goes on working after that."""
        ...


Work = Callable[[], AbstractContextManager[Worker[Item, Result]]]
"""Opens a worker, where it is called. It is sent by pickle, and so are items and results: plain
values, and no secrets."""
AnyWork = Work[Any, Any]


class Engine(Protocol):
    """Runs work."""

    @property
    def forks(self) -> bool:
        """Whether its workers are processes of this machine, beside which the driver may fork."""
        ...

    def try_out(self, work: AnyWork) -> None:
        """Open `work` once in each process that has workers now; raises what one raises.

        Nothing is opened where workers are this process's own. Workers that come later are not
        asked.
        """
        ...

    def run(
        self,
        work: Work[Item, Result],
        items: Iterator[Item],
        doing: str,
        *,
        together: bool = True,
    ) -> AbstractContextManager[Iterator[Result]]:
        """Results of all items, one each, in the order of the items.

        When the context is left without an error, everything that the workers did is durable;
        what is done in it after the last result may go on beside that. When it is left with an
        error, no worker begins a further item. Items are taken as they are needed, by the
        driver's thread. `doing` is for messages: `indexing`. Without `together` an item takes
        seconds, so that no two of them should wait for one another. Raises what a worker raised,
        and `StoreFailed` where workers cannot be had any more.
        """
        ...
