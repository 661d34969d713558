"""An HTTP/1.1 proxy that lets requests and answers go wrong in the way a test asks for.

    with FaultProxy("127.0.0.1", port) as proxy:
        proxy.add("lost_response", method="PUT", path="/refs/", times=1)
        …                      # the client talks to proxy.url
        assert proxy.log

Bytes of requests pass unchanged (the Host header too), so signatures stay valid. With `tls`
clients speak that with it, and it does not with the server. What can happen:

    status         answered here: code=503, body=b"…", headers={…}; the server hears nothing
    reset          connection reset before the request is passed on
    lost_response  passed on, done by the server, then reset: the client never hears
    truncate       passed on; reset after `after` bytes of the answer's body
    delay          waits `seconds`, then passes on
    throttle       passes the answer on at `rate` bytes a second
    hang           takes the request and answers nothing for `seconds`
    twice          passed on twice, as a retry in between would; the second answer comes back
    late           answered here with what the same request was answered before, where it was
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)
PIECE = 1 << 16
STEPS = 8
"""Turns of the loop from an accepted connection to the task that serves it, and some more."""


@dataclass
class Rule:
    """One thing that goes wrong: for each `every`-th request that matches, after `skip` of them,
    and for `times` of those."""

    action: str
    method: str | None = None
    path: str | None = None
    times: int | None = None
    skip: int = 0
    code: int = 503
    body: bytes = SLOW_DOWN
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    seconds: float = 3600.0
    rate: float = 1e9
    every: int = 1
    hits: int = 0

    def fits(self, method: str, path: str) -> bool:
        if self.method is not None and method != self.method:
            return False
        return self.path is None or bool(re.search(self.path, path))

    def matches(self, method: str, path: str) -> bool:
        if not self.fits(method, path):
            return False
        self.hits += 1
        number, between = divmod(self.hits - self.skip, self.every)
        return not between and number > 0 and (self.times is None or number <= self.times)


@dataclass(frozen=True)
class Seen:
    """One request that came by: what was done to it, and the server's status where it was asked."""

    method: str
    path: str
    action: str
    status: int | None
    headers: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    """Of the request; names in lower case."""

    @property
    def agent(self) -> str:
        """Who asked, as it says itself."""
        return self.headers.get(b"user-agent", b"").decode("latin1")


class _Gone(Exception):
    """This connection is to be reset."""


class FaultProxy:
    """Listens on a free port of loopback, in a thread of its own, while its block lasts."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._server_address = (host, port)
        self._tls = tls
        self.rules: list[Rule] = []
        self.log: list[Seen] = []
        self.port = 0
        self._before: dict[str, bytes] = {}
        """Answers to requests of rules `late`, as they were last passed on."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def add(
        self,
        action: str,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int | None = None,
        skip: int = 0,
        code: int = 503,
        body: bytes = SLOW_DOWN,
        headers: Mapping[str, str] | None = None,
        after: int = 0,
        seconds: float = 3600.0,
        rate: float = 1e9,
        every: int = 1,
    ) -> Rule:
        """From now on this goes wrong; the first rule that matches counts."""
        rule = Rule(
            action,
            method,
            path,
            times,
            skip,
            code,
            body,
            headers or {},
            after,
            seconds,
            rate,
            every,
        )
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Nothing goes wrong any more, and nothing has been seen."""
        self.rules.clear()
        self.log.clear()

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=self._tls)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(_end_all(server))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection: its requests one after the other."""
        server = _Server(self._server_address)
        try:
            while await self._request(reader, writer, server):
                pass
        except (_Gone, OSError, asyncio.IncompleteReadError):
            _reset(writer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            server.close()
            writer.close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: _Server
    ) -> bool:
        """Pass one request on, or do to it what a rule says; False: nothing more comes."""
        head = await _read_head(reader)
        if not head:
            return False
        method, path, _ = head.split(b"\r\n")[0].decode("latin1").split(" ", 2)
        rule = next((rule for rule in self.rules if rule.matches(method, path)), None)
        action = rule.action if rule else ""
        headers = _headers(head)
        if action == "reset":
            self.log.append(Seen(method, path, action, None, headers))
            raise _Gone
        if rule and action == "delay":
            await asyncio.sleep(rule.seconds)
        if headers.get(b"expect", b"").lower() == b"100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
        request = head + b"".join([piece async for piece in _body(reader, headers)])
        if rule and action in ("status", "hang"):
            self.log.append(Seen(method, path, action, None, headers))
            await self._answer_here(writer, rule, method)
            return True
        if action == "late" and path in self._before:
            self.log.append(Seen(method, path, action, None, headers))
            writer.write(self._before[path])
            await writer.drain()
            return True
        answer_head = await server.ask(request)
        if action == "twice":
            await server.drain(answer_head, method)
            answer_head = await server.ask(request)
        status = _status(answer_head)
        self.log.append(Seen(method, path, action, status, headers))
        if action == "lost_response":
            await server.drain(answer_head, method)
            raise _Gone
        writer.write(answer_head)
        keeps = any(each.action == "late" and each.fits(method, path) for each in self.rules)
        kept = [answer_head] if keeps else []
        async for piece in server.body(answer_head, method):
            await _pass_on(writer, piece, rule)
            if keeps:
                kept.append(piece)
        if keeps:
            self._before[path] = b"".join(kept)
        await writer.drain()
        return _headers(answer_head).get(b"connection", b"").lower() != b"close"

    async def _answer_here(self, writer: asyncio.StreamWriter, rule: Rule, method: str) -> None:
        if rule.action == "hang":
            await asyncio.sleep(rule.seconds)
            raise _Gone
        headers = {"Content-Type": "application/xml", **rule.headers}
        lines = [f"HTTP/1.1 {rule.code} Fault", f"Content-Length: {len(rule.body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if method != "HEAD":
            writer.write(rule.body)
        await writer.drain()


async def _end_all(server: asyncio.Server) -> None:
    """Close all connections. One that has just come in is begun before: Python forgets those
    that it accepts for a closed server, and what is cancelled before it begins closes nothing."""
    for _ in range(STEPS):
        await asyncio.sleep(0)
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


class _Server:
    """The way to the server, opened when first needed and again when it was closed there."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> bytes:
        """Head of the answer."""
        while True:
            fresh = self._writer is None
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection(
                    *self._address, limit=1 << 20
                )
            assert self._reader is not None
            head = b""
            try:
                self._writer.write(request)
                await self._writer.drain()
                head = await _read_head(self._reader)
                while head.startswith((b"HTTP/1.1 100", b"HTTP/1.0 100")):
                    head = await _read_head(self._reader)
            except OSError:
                pass
            if head:
                return head
            self.close()
            if fresh:
                raise _Gone

    async def body(self, head: bytes, method: str) -> AsyncIterator[bytes]:
        """Pieces of the answer's body as they are on the wire, chunked framing kept."""
        status = _status(head)
        if method == "HEAD" or status in (204, 304):
            return
        assert self._reader is not None
        headers = _headers(head)
        async for piece in _body(self._reader, headers, to_the_end=True):
            yield piece
        if headers.get(b"connection", b"").lower() == b"close":
            self.close()

    async def drain(self, head: bytes, method: str) -> None:
        async for _ in self.body(head, method):
            pass

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def _pass_on(writer: asyncio.StreamWriter, piece: bytes, rule: Rule | None) -> None:
    if rule and rule.action == "truncate":
        writer.write(piece[: rule.after])
        await writer.drain()
        rule.after -= len(piece)
        if rule.after <= 0:
            await asyncio.sleep(0.05)  # let what was written arrive before the reset
            raise _Gone
    elif rule and rule.action == "throttle":
        for at in range(0, len(piece), 8192):
            part = piece[at : at + 8192]
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(len(part) / rule.rate)
    else:
        writer.write(piece)
        await writer.drain()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    """Request or status line and headers; empty where the other side has closed."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError):
        return b""


def _headers(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


async def _body(
    reader: asyncio.StreamReader, headers: Mapping[bytes, bytes], to_the_end: bool = False
) -> AsyncIterator[bytes]:
    if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
        size = -1
        while size:
            line = await reader.readline()
            size = int(line.split(b";")[0], 16)
            yield line + await reader.readexactly(size + 2 if size else 0)
        while True:  # trailers
            line = await reader.readline()
            yield line
            if line in (b"\r\n", b""):
                return
    elif b"content-length" in headers:
        left = int(headers[b"content-length"])
        while left and (piece := await reader.read(min(left, PIECE))):
            left -= len(piece)
            yield piece
    elif to_the_end:
        while piece := await reader.read(PIECE):
            yield piece


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, so that the client gets an error and not an end."""
    raw = writer.get_extra_info("socket")
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    writer.transport.abort()
