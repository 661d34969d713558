"""From the name of an engine to one that runs: `local`, `dask`, `dask://host:port`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.errors import BadInput
from ldb.processes import default_processes

NAMES = "local, dask or dask://HOST:PORT"


@contextlib.contextmanager
def open_engine(
    name: str = "local", processes: int = 0, where: str = "--engine"
) -> Iterator[Engine]:
    """The engine of this name for as long as the context lasts.

    `processes` are for engines of this machine; 0: one for each processor. Raises `BadInput` for a
    name that is none (naming `where` it stood), `Unsupported` where Dask is not installed,
    `StoreFailed` where a scheduler does not answer.
    """
    count = processes or default_processes()
    if name == "local":
        yield LocalEngine(count)
        return
    scheduler = None if name == "dask" else _address(name, where)
    from ldb.engines.cluster import own_cluster, scheduler_at

    with scheduler_at(scheduler, name) if scheduler else own_cluster(count) as engine:
        yield engine


def _address(name: str, where: str) -> str:
    """The scheduler's address as Dask writes it; raises `BadInput`."""
    parts = urlsplit(name)
    if parts.scheme != "dask":
        raise BadInput(where, f"no such engine: {name}", f"give {NAMES}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    rest = (parts.path.strip("/"), parts.query, parts.fragment, parts.username)
    if not host or not port or any(rest):
        raise BadInput(where, f"{name} names no scheduler", f"give {NAMES}")
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
