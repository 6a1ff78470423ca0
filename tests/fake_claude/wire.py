"""A connection, seen from the server."""

import asyncio
import contextlib
import json
import socket
import struct
import uuid


async def _end_of(reader: asyncio.StreamReader) -> None:
    """Return once the client left, or sent what nobody asked for."""
    with contextlib.suppress(ConnectionError):
        await reader.read(1)


class Wire:
    """The connection, seen from the server. Everything raises ConnectionError once the client left."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._gone = asyncio.ensure_future(_end_of(reader))

    async def sleep(self, seconds: float) -> None:
        await asyncio.wait([self._gone], timeout=seconds)
        self._check()

    async def until_gone(self) -> None:
        await asyncio.wait([self._gone])
        self._check()

    def _check(self) -> None:
        if self._gone.done():
            raise ConnectionError

    def abort(self) -> None:
        """Break the connection with a reset, whatever is in its buffers."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def abort_soon(self) -> None:
        """Break the connection once what was sent has had time to arrive."""
        await self.sleep(0.02)
        self.abort()

    async def json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        payload = json.dumps(body).encode()
        await self._head(status, {"content-length": str(len(payload))} | (headers or {}), payload)

    async def error(
        self,
        status: int,
        error_type: str,
        message: str,
        *,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        error: dict[str, object] = {"type": error_type, "message": message}
        if code:
            error["details"] = {"error_code": code}
        await self.json(
            status, {"type": "error", "error": error, "request_id": "req_fake"}, headers
        )

    async def start_stream(self) -> None:
        await self._head(
            200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}, b""
        )

    async def event(self, name: str, **data: object) -> None:
        await self.piece(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())

    async def piece(self, payload: bytes) -> None:
        """Send a chunk of a stream."""
        if payload:
            await self._write(f"{len(payload):x}\r\n".encode() + payload + b"\r\n")

    async def end_stream(self) -> None:
        await self._write(b"0\r\n\r\n")

    async def _head(self, status: int, headers: dict[str, str], payload: bytes) -> None:
        lines = [f"HTTP/1.1 {status} -", f"request-id: req_{uuid.uuid4().hex}", "connection: close"]
        if "content-type" not in headers:
            lines.append("content-type: application/json")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self._write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)

    async def _write(self, data: bytes) -> None:
        self._check()
        self._writer.write(data)
        await self._writer.drain()
