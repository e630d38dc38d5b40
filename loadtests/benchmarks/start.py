"""`make bench-start`: how long from `troupe up` to a first token of the real engine, and how long until everything is gone again.

The home must hold a built demo: what is measured is the second start and every later one.
"""

import http.client
import json
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from loadtests.benchmarks.process import TROUPE, Process, end_like_ctrl_c
from loadtests.benchmarks.rounds import over

KEY = "bench-key-of-a-caller"
URL = r"URL +(http://127\.0\.0\.1:\d+)"


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the process to its greeting and to the first token; and from Ctrl-C to its end."""

    ready_s: float
    first_token_s: float
    stop_s: float


def one_start(home: Path, model: str, log: Path) -> Start:
    """Start, ask once, stop. Raises NotStarted, OSError, ValueError."""
    environment = {"TROUPE_HOME": str(home), "TROUPE_PORT": "0", "TROUPE_API_KEY": KEY}
    start = time.monotonic()
    with Process([TROUPE, "up"], log=log, environment=environment) as process:
        url = process.wait_for(URL, seconds=300.0)
        ready_s = time.monotonic() - start
        wait_for_token(url, model)
        first_token_s = time.monotonic() - start
        return Start(ready_s, first_token_s, process.stop(signal.SIGINT))


def wait_for_token(url: str, model: str) -> None:
    """Ask for a stream and return when its first text arrives. Raises ValueError if none does."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    body = {"model": model, "messages": [{"role": "user", "content": "who wins tonight?"}], "max_tokens": 32, "stream": True}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    try:
        answer = connection.getresponse()
        for line in answer:
            if line.startswith(b"data: {") and any(choice["delta"].get("content") for choice in json.loads(line[6:])["choices"]):
                return
    finally:
        connection.close()
    raise ValueError(f"no token came (status {answer.status})")


@click.command()
@click.option(
    "--home", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, help="A TROUPE_HOME with a built demo."
)
@click.option("--model", default="zizou", show_default=True)
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1))
def main(home: Path, model: str, runs: int) -> None:
    """Start and stop the whole stack several times, and print seconds: median (smallest–largest)."""
    end_like_ctrl_c()
    starts = []
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as folder:
        for run in range(runs):
            starts.append(one_start(home, model, Path(folder) / "up.log"))
            click.echo(f"run {run + 1}: {starts[-1]}", err=True)
    click.echo(f"start to ready, s        {over([start.ready_s for start in starts]).text(1)}")
    click.echo(f"start to first token, s  {over([start.first_token_s for start in starts]).text(1)}")
    click.echo(f"Ctrl-C to stopped, s     {over([start.stop_s for start in starts]).text(1)}")


if __name__ == "__main__":
    main()
