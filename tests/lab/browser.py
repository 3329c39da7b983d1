"""A page in headless Chromium, by its DevTools protocol: as much of it as a test needs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import websocket


class Page:
    """One page; ``run`` awaits an expression in it."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(address, timeout=600)
        self.numbers = count()

    def run(self, script: str) -> Any:
        """The value of JavaScript, awaited; AssertionError with what it threw."""
        return self.evaluated(script, returnByValue=True).get("value")

    def choose(self, box: str, file: Path) -> None:
        """Choose a file in an <input type=file>, as a hand would in the browser's dialogue."""
        place = self.evaluated(box)["objectId"]
        self.ask("DOM.setFileInputFiles", files=[str(file)], objectId=place)

    def evaluated(self, script: str, **how: Any) -> dict[str, Any]:
        said = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, **how)
        thrown = said.get("exceptionDetails")
        assert not thrown, thrown["exception"].get("description", thrown["text"])
        return said["result"]

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """What the protocol's method answers."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (said := json.loads(self.socket.recv())).get("id") != number:
            pass
        assert "error" not in said, said["error"]
        return said["result"]

    def wait(self, script: str, seconds: float) -> None:
        """Until JavaScript is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"not after {seconds:.0f} s: {script}"
            time.sleep(0.3)


@contextmanager
def page(chromium: str, folder: Path, address: str) -> Iterator[Page]:
    """Chromium with one page; folder: for its profile."""
    command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", address,
               "--remote-debugging-port=0", "--remote-allow-origins=*", "--window-size=1400,1200",
               f"--user-data-dir={folder}"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            told = folder / "DevToolsActivePort"
            end = time.monotonic() + 60
            while not told.is_file() or not told.read_text().strip():
                assert time.monotonic() < end and process.poll() is None, "Chromium does not begin"
                time.sleep(0.2)
            port = told.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                pages = [each for each in json.load(answer) if each["type"] == "page"]
            yield Page(pages[0]["webSocketDebuggerUrl"])
        finally:
            end_of(process)


@contextmanager
def jupyterlab(
    chromium: str, command: Sequence[str], made: Mapping[str, str], folder: Path, seconds: float
) -> Iterator[Page]:
    """A page of JupyterLab, which ``command`` starts, within so many seconds.

    made: of its environment, beside ours. folder: for the profile of the browser.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", f"--port={port}", "--allow-root", "--expose-app-in-browser",
               "--IdentityProvider.token=half"]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, **made}
    with subprocess.Popen([*command, *options], env=environment, **quiet) as server:
        try:
            end = time.monotonic() + seconds
            while not answers(port):
                assert time.monotonic() < end and server.poll() is None, "JupyterLab does not begin"
                time.sleep(0.3)
            with page(chromium, folder, f"http://127.0.0.1:{port}/lab?token=half&reset") as shown:
                shown.wait("Boolean(window.jupyterapp?.shell?.layoutModified)", 60)
                shown.run("window.jupyterapp.restored.then(() => true)")
                yield shown
        finally:
            end_of(server)


def end_of(process: subprocess.Popen) -> None:
    """Ask it to end; after half a minute, make it."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0
