"""A headless Chromium, told what to do over its DevTools protocol."""

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
needs_browser = pytest.mark.skipif(not PROGRAM, reason="no Chromium on this machine")


class Browser:
    """One page of a browser of its own; what the page complained of is in ``complaints``."""

    def __init__(self, width: int = 1400, height: int = 1000) -> None:
        self._size = (width, height)
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            process = subprocess.Popen(
                [
                    *(PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu"),
                    *("--hide-scrollbars", "--remote-debugging-port=0"),
                    f"--user-data-dir={opened.enter_context(folder)}",
                    "about:blank",
                ],
                stderr=subprocess.PIPE,
                text=True,
            )
            opened.enter_context(process)
            opened.callback(process.terminate)
            self._loop = asyncio.new_event_loop()
            opened.callback(self._loop.close)
            self._serial = 0
            assert process.stderr is not None
            told = iter(process.stderr.readline, "")
            found = next(filter(None, (re.search(r"DevTools.* ws://([^/]+)/", x) for x in told)))
            self._socket = self._loop.run_until_complete(self._open(found[1]))
            opened.callback(lambda: self._loop.run_until_complete(self._leave()))
            for domain in ("Page", "Runtime", "Log"):
                self.ask(f"{domain}.enable")
            width, height = self._size
            self.ask(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=height,
                deviceScaleFactor=1,
                mobile=False,
            )
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    async def _open(self, host: str) -> WebSocketClientConnection:
        from tornado.httpclient import AsyncHTTPClient

        answer = await AsyncHTTPClient().fetch(f"http://{host}/json")
        pages = [page for page in json.loads(answer.body) if page["type"] == "page"]
        return await websocket_connect(pages[0]["webSocketDebuggerUrl"], max_message_size=2**26)

    async def _leave(self) -> None:
        self._socket.close()
        await asyncio.sleep(0.1)

    def ask(self, method: str, **params: Any) -> Any:
        """Send a command and return its result."""
        return self._loop.run_until_complete(self._ask(method, params))

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._serial += 1
        serial = self._serial
        await self._socket.write_message(
            json.dumps({"id": serial, "method": method, "params": params})
        )
        while True:
            message = await self._socket.read_message()
            assert message is not None, "the browser has gone"
            said = json.loads(message)
            if said.get("id") == serial:
                assert "error" not in said, said
                return said["result"]
            self._hear(said)

    def _hear(self, said: dict[str, Any]) -> None:
        if said.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["params"]["exceptionDetails"])[:500])
        elif said.get("method") == "Runtime.consoleAPICalled" and said["params"]["type"] == "error":
            self.complaints.append(json.dumps(said["params"]["args"])[:500])
        elif said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
            self.complaints.append(said["params"]["entry"]["text"])

    def open(self, url: str) -> None:
        """Go to a page."""
        self.ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get(
            "value"
        )

    def wait_for(self, script: str, timeout_s: float = 30.0) -> Any:
        """Wait until a JavaScript expression is true, and return its value."""
        until = time.monotonic() + timeout_s
        while not (value := self.run(script)):
            assert time.monotonic() < until, (script, self.complaints, self.text()[:500])
            time.sleep(0.1)
        return value

    # What can be read on the page, within Bokeh's shadows too.
    READ = """(function read(node) {
        let out = node.nodeType == 3 ? node.data + ' ' : '';
        if (['STYLE', 'SCRIPT'].includes(node.nodeName)) return '';
        if (node.nodeType == 1 && getComputedStyle(node).display == 'none') return '';
        for (const inner of node.shadowRoot?.childNodes ?? []) out += read(inner);
        for (const inner of node.childNodes) out += read(inner);
        return out; })(document.body)"""

    # Where the middle of the first element is that has some text, and nothing within it.
    FIND = """(function find(node, text) {
        for (const inner of [...node.shadowRoot?.children ?? [], ...node.children]) {
            const found = find(inner, text);
            if (found) return found;
        }
        if (node.children.length || node.shadowRoot || node.textContent != text) return null;
        const box = node.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]; })(document.body, TEXT)"""

    def text(self) -> str:
        """Return what can be read on the page."""
        return str(self.run(self.READ))

    def click(self, text: str) -> None:
        """Click on the first thing with this text."""
        x, y = self.wait_for(self.FIND.replace("TEXT", json.dumps(text)))
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def shoot(self, path: Path) -> None:
        """Save what the page looks like as a PNG."""
        shot = self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))
