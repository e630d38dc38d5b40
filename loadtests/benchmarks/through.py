"""`make bench-through`: how much of what a real engine can do arrives through the gateway, beside LiteLLM's proxy and no gateway.

One engine, vLLM with the demo's base and one adapter, is asked by as many streams as the facts of fairness have, directly and through
each relay, one after another in rotated order. Nothing has a core of its own: what a relay takes, the engine lacks.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import click
import httpx
import uvloop

from loadtests.benchmarks.closed_loop import Answer, Load, milliseconds, offer, request_bytes
from loadtests.benchmarks.overhead import read_demo
from loadtests.benchmarks.overhead_paths import COMMUNITY, DIRECT, ENGINE_KEY, GATEWAY, LITELLM, Served, Started, Target
from loadtests.benchmarks.overhead_report import TITLES
from loadtests.benchmarks.process import Process, end_like_ctrl_c, free_port
from loadtests.benchmarks.rounds import Round, figure, ratio, rotated

LOAD = Load(8, 10.0, stream=True)
MAX_TOKENS = 64
WARM_UP_S = 3.0
START_S = 300.0
LEAST = 0.95
_TOKENS = re.compile(rb'"completion_tokens": ?(\d+)')


@contextmanager
def running(served: Served, peers: Path | None, folder: Path) -> Iterator[Mapping[str, Target]]:
    """The engine, and every relay before it; all ended when the block is left. Raises NotStarted."""
    with ExitStack() as stack:
        start = Started(stack, folder, None)
        port = free_port()
        url, store = f"http://127.0.0.1:{port}", folder / "home" / "registry" / "store"
        environment = {
            "TROUPE_BASE": str(served.base), "TROUPE_HOME": str(folder / "engine-home"), "TROUPE_STORE_URL": str(store),
            "TROUPE_ENGINE_PORT": str(port), "TROUPE_ENGINE_API_KEY": ENGINE_KEY, "TROUPE_ENGINE_MAX_NUM_SEQS": str(LOAD.in_flight),
            "TROUPE_ENGINE_ALL_ROUTES": "true", "TMPDIR": str(folder),  # where vLLM leaves its sockets
        }  # fmt: skip
        store.mkdir(parents=True)
        engine = stack.enter_context(Process(["-m", "server.engine"], log=folder / "engine.log", environment=environment))
        engine.wait_for("(Application startup complete)", seconds=START_S)
        targets = {GATEWAY: start.troupe(served, url, ENGINE_KEY, batch=LOAD.in_flight)}
        name = loaded(targets[GATEWAY], url)
        targets[DIRECT] = Target(url, ENGINE_KEY, name, engine)
        if peers is not None:
            targets[LITELLM] = start.litellm(peers, url, ENGINE_KEY, name)
        yield targets


def loaded(gateway: Target, engine_url: str) -> str:
    """What the engine calls the adapter, once it was asked for through the gateway."""
    uvloop.run(offer(gateway.url, _request(gateway), replace(LOAD, seconds=0.1)))
    models = httpx.get(f"{engine_url}/v1/models", headers={"authorization": f"Bearer {ENGINE_KEY}"}).raise_for_status().json()["data"]
    return next(str(model["id"]) for model in models if model["id"].startswith(f"{COMMUNITY}-"))


def measure(target: Target, seconds: float = LOAD.seconds) -> dict[str, float]:
    cpu_s = target.process.cpu_s()
    answers = uvloop.run(offer(target.url, _request(target), replace(LOAD, seconds=seconds)))
    cpu_s = target.process.cpu_s() - cpu_s
    return {**figures(answers), "cpu_us": 1e6 * cpu_s / sum(map(tokens, answers))}


def figures(answers: Sequence[Answer]) -> dict[str, float]:
    """Tokens per second of all streams together, as in a closed loop that never ends, and the time to the first one."""
    busy_s = sum(answer.total_s for answer in answers)
    return {
        "tokens_s": LOAD.in_flight * sum(map(tokens, answers)) / busy_s,
        "first_p50_ms": milliseconds([answer.first_s for answer in answers], 0.5),
    }


def tokens(answer: Answer) -> int:
    """Of the usage at the end of a stream: an event may hold several."""
    return int(_TOKENS.findall(answer.content)[-1])


def _request(target: Target) -> bytes:
    return request_bytes(target.url, target.key, target.model, max_tokens=MAX_TOKENS, stream=True, usage=True)


def table(rounds: Sequence[Round]) -> Iterator[str]:
    """Rows of Markdown, and whether what is wanted was met."""
    yield "| | tokens/s | ÷ direct | TTFT p50, ms |"
    yield "| --- | --: | --: | --: |"
    for path in TITLES:
        if path in rounds[0]:
            speed, first = figure(rounds, path, "tokens_s").text(0), figure(rounds, path, "first_p50_ms").text(1)
            yield f"| {TITLES[path]} | {speed} | {ratio(rounds, path, DIRECT, 'tokens_s').text(3)} | {first} |"
    arrives = ratio(rounds, GATEWAY, DIRECT, "tokens_s").median
    yield f"\nThrough the gateway arrives {arrives:.3f} of it; wanted at least {LEAST}: {'met' if arrives >= LEAST else 'not met'}."


@click.command()
@click.option("--demo", "served", required=True, callback=read_demo, metavar="JSON", help="The line that `troupe demo` prints.")
@click.option("--peers", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The environment that holds LiteLLM.")
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=LOAD.seconds, show_default=True, type=click.FloatRange(min=0.1), help="For each path in each round.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write every round, as it comes.")
def main(served: Served, peers: Path | None, rounds: int, seconds: float, json_path: Path | None) -> None:
    """Measure a real engine through the gateway and without it, and print a table: median (smallest–largest) of the rounds."""
    end_like_ctrl_c()
    kept: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name, running(served, peers, Path(name)) as targets:
        for target in targets.values():
            measure(target, WARM_UP_S)
        for turn in range(rounds):
            kept.append({path: measure(targets[path], seconds) for path in rotated(list(targets), turn)})
            click.echo(f"round {turn + 1}: { {path: round(found['tokens_s']) for path, found in kept[-1].items()} }", err=True)
            if json_path is not None:
                json_path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    for line in table(kept):
        click.echo(line)


if __name__ == "__main__":
    main()
