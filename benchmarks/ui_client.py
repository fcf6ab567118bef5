"""A browser without a screen: one websocket session of a page, as Bokeh's own client code would open it."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

TOKEN = re.compile(r'"token":"([^"]+)"')


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "id" in value and "attributes" in value:
            yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


class Client:
    """One person's session on one page."""

    def __init__(self, url: str, path: str) -> None:
        self._url, self._path = url, path
        self.socket: WebSocketClientConnection | None = None
        self._slider, self.value, self._count = "", 0, 0
        self.stops: list[str] = []

    async def open(self, css_class: str | None = None) -> None:
        """Fetch the page, open its websocket, pull the document; find the slider with ``css_class``."""
        page = await asyncio.to_thread(self._page)
        found = TOKEN.search(page)
        assert found is not None, "the page has no session token"
        address = f"{self._url.replace('http', 'ws')}{self._path.split('?')[0]}/ws"
        request = HTTPRequest(address, headers={"Origin": self._url}, request_timeout=60, connect_timeout=60)
        self.socket = await websocket_connect(request, subprotocols=["bokeh", found.group(1)], max_message_size=2**28)
        # As browsers do: else the second part of a message waits until the server's kernel acknowledges the first (40 ms).
        self.socket.protocol.set_nodelay(True)
        await self._receive("ACK")
        await self._send("PULL-DOC-REQ", {})
        content, _ = await self._receive("PULL-DOC-REPLY")
        ready = {"type": "event", "name": "document_ready", "values": {"type": "map"}}
        message = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": ready}
        await self._send("PATCH-DOC", {"events": [message]})
        if css_class is None:
            return
        for item in _objects(content["doc"]):
            attributes = item["attributes"]
            if css_class in attributes.get("css_classes", []) and "value" in attributes:
                self._slider, self.value = item["id"], attributes["value"]
                self.high = attributes["end"]
                with suppress(KeyError, TypeError):  # a plain slider has no words
                    self.stops = dict(attributes["format"]["attributes"]["args"]["entries"])["words"]
        assert self._slider, f"no slider {css_class} in the document"
        await self.frame()

    def _page(self) -> str:
        with urllib.request.urlopen(self._url + self._path, timeout=60) as answer:
            text: str = answer.read().decode()
        return text

    async def move(self, value: int) -> float:
        """Move the slider and wait for the picture; milliseconds."""
        start = time.perf_counter()
        await self.push(value)
        await self.frame()
        return 1e3 * (time.perf_counter() - start)

    async def push(self, value: int) -> None:
        """Move the slider."""
        self.value = value
        change = {"kind": "ModelChanged", "model": {"id": self._slider}, "attr": "value", "new": value}
        await self._send("PATCH-DOC", {"events": [change]})

    async def frame(self) -> dict[str, Any]:
        """Wait for a block of bytes as large as a picture; its header."""
        while True:
            content, buffers = await self._receive("PATCH-DOC")
            for event in content["events"]:
                if event.get("attr") == "frame":
                    block = buffers.get(event["new"]["data"]["id"], b"")
                    if len(block) > 10_000:
                        header: dict[str, Any] = json.loads(block[4 : 4 + int.from_bytes(block[:4], "little")])
                        return header

    async def close(self) -> None:
        """Close the connection, and wait until it is."""
        assert self.socket is not None
        self.socket.close()
        with suppress(TimeoutError):
            while await asyncio.wait_for(self.socket.read_message(), 10) is not None:
                pass

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        assert self.socket is not None
        self._count += 1
        for part in ({"msgid": str(self._count), "msgtype": kind}, {}, content):
            await self.socket.write_message(json.dumps(part))

    async def _receive(self, kind: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The next message of ``kind``, its content and its buffers by their names; an error of the server is raised."""
        assert self.socket is not None
        while True:
            header = json.loads(await self._part())
            await self._part()
            content = json.loads(await self._part())
            buffers = {}
            for _ in range(header.get("num_buffers", 0)):
                name = json.loads(await self._part())["id"]
                buffers[name] = await self._part()
            if header["msgtype"] == "ERROR":
                raise RuntimeError(content.get("text", "the server reported an error"))
            if header["msgtype"] == kind:
                return content, buffers

    async def _part(self) -> Any:
        assert self.socket is not None
        part = await asyncio.wait_for(self.socket.read_message(), 120)
        if part is None:
            raise ConnectionError("the server closed the connection")
        return part
