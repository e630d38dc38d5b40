"""A headless Chromium, asked over the DevTools protocol: what it complains about, how wide a page gets, and how it looks."""

import asyncio
import base64
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
)
_ANNOUNCED = "DevTools listening on "
SECONDS = 60.0
"""For one answer: the machine may be busy."""


def find_browser() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page after the other in one browser. `complaints`: what the console said, what was thrown, what was asked of a network."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._sent = 0
        self._session = ""
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []

    async def attach(self) -> None:
        target = await self.ask("Target.createTarget", url="about:blank")
        self._session = (await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True))["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network", "Audits"):
            await self.ask(f"{domain}.enable")

    async def open(self, file: Path, *, width: int, height: int = 900, dark: bool = False, print_media: bool = False) -> None:
        """Wait until it is loaded."""
        await self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", media="print" if print_media else "", features=[scheme])
        self.complaints.clear()
        self._events.clear()
        await self.ask("Page.navigate", url=file.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            await self._read()
        self._events.clear()

    async def evaluate(self, expression: str) -> Any:
        """By the debugger, which the page's policy does not bind."""
        return (await self.ask("Runtime.evaluate", expression=expression, returnByValue=True))["result"].get("value")

    async def picture(self, width: int, height: int) -> bytes:
        """A PNG of the top of the page."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(found["data"])

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._sent += 1
        number = self._sent
        await self._socket.send_json(
            {"id": number, "method": method, "params": params, **({"sessionId": self._session} if self._session else {})}
        )
        while (answer := await self._read()).get("id") != number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def _read(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._socket.receive_json(timeout=SECONDS)
        if "method" in message:
            self._events.append(message)
            self._judge(message["method"], message["params"])
        return message

    def _judge(self, method: str, params: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif method in ("Runtime.exceptionThrown", "Audits.issueAdded", "Runtime.consoleAPICalled"):
            self.complaints.append(f"{method}: {params}"[:500])
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(("file:", "data:", "about:")):
            self.complaints.append(f"asked for {params['request']['url']}")


@asynccontextmanager
async def open_browser(command: str, profile: Path) -> AsyncIterator[Tab]:
    """`profile`: an empty folder of its own."""
    process = await asyncio.create_subprocess_exec(
        command, *FLAGS, f"--user-data-dir={profile}", "about:blank", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    draining: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(SECONDS):
            line = ""
            while not line.startswith(_ANNOUNCED):
                read = await process.stderr.readline()
                assert read, "The browser ended before it could be asked."
                line = read.decode(errors="replace")
        draining = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as session, session.ws_connect(line.removeprefix(_ANNOUNCED).strip(), max_msg_size=0) as socket:
            tab = Tab(socket)
            await tab.attach()
            yield tab
            await socket.send_json({"id": 0, "method": "Browser.close"})  # ended by a signal, it leaves a folder in /tmp
            async with asyncio.timeout(SECONDS):
                await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if draining is not None:
            await draining
