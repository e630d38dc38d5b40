"""`make bench-adapters`: how long streams stand still while adapters that the engine has not loaded are asked for.

Eight streams run on four adapters. Meanwhile twenty others come: to a plain engine, straight from their files, all at once; and to a
whole Troupe, published and promoted one after another and only then asked all at once. The base is random numbers of a given size.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click

from loadtests.benchmarks.listeners import Listeners, WrongAnswer
from loadtests.benchmarks.process import TROUPE, Process, end_like_ctrl_c, free_port
from loadtests.benchmarks.rounds import over
from loadtests.benchmarks.synthetic import Size, write_adapter, write_base
from loadtests.measure import percentile

KEY, ADMIN_KEY = "bench-key-of-a-caller", "bench-key-of-an-operator"
URL = r"URL +(http://127\.0\.0\.1:\d+)"
FILES = ("adapter_config.json", "adapter_model.safetensors")
SLOTS, RANK = 8, 16
LISTENERS, RESIDENT, COMING = 8, 4, 20
ANSWER_TOKENS = 16
QUIET_S, START_S = 10.0, 300.0

Come = Callable[[str, Path], Awaitable[None]]
"""Makes an adapter, by a name and where its files lie, one that can be asked for."""


@dataclass(frozen=True)
class Stall:
    """What the listeners saw of one thing that happened: pauses in milliseconds; `seconds` it took."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    seconds: float


@dataclass(frozen=True)
class Stage:
    """Something that answers, at a base URL that `http` has, and how an adapter gets there."""

    http: aiohttp.ClientSession
    come: Come

    async def ask(self, model: str) -> None:
        body = {"model": model, "prompt": "once upon a time", "max_tokens": ANSWER_TOKENS}
        async with self.http.post("/v1/completions", json=body) as answer:
            if answer.status != 200:
                raise WrongAnswer(f"{model}: {answer.status} {(await answer.text())[:500]}")
            await answer.read()


async def watched(listeners: Listeners, happening: Awaitable[object]) -> Stall:
    """What `happening` does to the listeners until it is over."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    await happening
    until = loop.time()
    pauses = sorted(1000 * pause for pause in listeners.pauses(since, until))
    return Stall(percentile(pauses, 0.5), percentile(pauses, 0.99), pauses[-1], until - since)


async def measure(stage: Stage, adapters: dict[str, Path], rounds: int, never: Sequence[int], *, at_once: bool) -> dict[str, list[Stall]]:
    """What happened → what the listeners saw of it, round by round. `at_once`: the adapters come with their first request; else one
    after another, before it."""
    names = list(adapters)
    for name in names[:RESIDENT]:
        await stage.come(name, adapters[name])
    # Opens every connection that is needed later: twenty at once would be a pause of their own.
    await asyncio.gather(*(stage.ask("base") for _ in range(COMING + LISTENERS)))
    listeners = Listeners(stage.http, [names[index % RESIDENT] for index in range(LISTENERS)], never, max_tokens=2048)
    seen: dict[str, list[Stall]] = {}

    async def note(what: str, happening: Awaitable[object]) -> None:
        seen.setdefault(what, []).append(await watched(listeners, happening))
        click.echo(f"  {what}: {seen[what][-1]}", err=True)

    async def first_request(name: str) -> None:
        if at_once:
            await stage.come(name, adapters[name])
        await stage.ask(name)

    async def one_after_another(coming: Sequence[str]) -> None:
        for name in coming:
            await stage.come(name, adapters[name])

    async with listeners.listening():
        for turn in range(rounds):
            coming = names[RESIDENT + turn * COMING :][:COMING]
            await note("nothing", asyncio.sleep(QUIET_S))
            if not at_once:
                await note(f"{COMING} are published and promoted, one after another", one_after_another(coming))
            await note(f"first requests for {COMING}, at once", asyncio.gather(*map(first_request, coming)))
            await note(f"the same {COMING} again, at once", asyncio.gather(*map(stage.ask, coming)))
    return seen


@asynccontextmanager
async def plain_engine(base: Path, folder: Path) -> AsyncIterator[Stage]:
    """The engine alone, with as many adapters in memory as it has slots: vLLM's default."""
    port = free_port()
    environment = {
        "TROUPE_BASE": str(base), "TROUPE_HOME": str(folder), "TROUPE_STORE_URL": str(folder / "store"), "TROUPE_ENGINE_API_KEY": KEY,
        "TROUPE_ENGINE_PORT": str(port), "TROUPE_ENGINE_MAX_LORAS": str(SLOTS), "TROUPE_ENGINE_MAX_CPU_LORAS": str(SLOTS),
        "TROUPE_ENGINE_ALL_ROUTES": "1", "TMPDIR": str(folder),  # where vLLM leaves its sockets
    }  # fmt: skip
    await asyncio.to_thread((folder / "store").mkdir, parents=True)
    with Process(["-m", "server.engine"], log=folder / "log", environment=environment) as process:
        await asyncio.to_thread(process.wait_for, "(Application startup complete)", seconds=START_S)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {KEY}"}) as http:

            async def load(name: str, files: Path) -> None:
                async with http.post("/v1/load_lora_adapter", json={"lora_name": name, "lora_path": str(files)}) as answer:
                    if answer.status != 200:
                        raise WrongAnswer(f"loading {name}: {answer.status} {(await answer.text())[:500]}")

            yield Stage(http, load)


@asynccontextmanager
async def troupe(base: Path, folder: Path) -> AsyncIterator[Stage]:
    """Gateway and engine, as `troupe up` starts them with as many slots."""
    environment = {
        "TROUPE_BASE": str(base), "TROUPE_HOME": str(folder), "TROUPE_PORT": "0", "TROUPE_API_KEY": KEY, "TROUPE_ADMIN_KEY": ADMIN_KEY,
        "TROUPE_ENGINE_MAX_LORAS": str(SLOTS),
    }  # fmt: skip
    await asyncio.to_thread(folder.mkdir)
    with Process([TROUPE, "up"], log=folder / "log", environment=environment) as process:
        url = await asyncio.to_thread(process.wait_for, URL, seconds=START_S)
        async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {KEY}"}) as http:

            async def debut(name: str, files: Path) -> None:
                form = aiohttp.FormData()
                for file in FILES:
                    form.add_field(file, await asyncio.to_thread((files / file).read_bytes), filename=file)
                admin, community = {"Authorization": f"Bearer {ADMIN_KEY}"}, f"/admin/v1/communities/{name}"
                async with http.post(f"{community}/adapters", data=form, headers=admin) as answer:
                    if answer.status != 201:
                        raise WrongAnswer(f"publishing {name}: {answer.status} {(await answer.text())[:500]}")
                async with http.put(f"{community}/aliases/live", json={"version": 1}, headers=admin) as answer:
                    if answer.status != 200:
                        raise WrongAnswer(f"promoting {name}: {answer.status} {(await answer.text())[:500]}")

            yield Stage(http, debut)


async def compare(tokenizer_of: Path, size: Size, rounds: int, folder: Path) -> dict[str, dict[str, list[Stall]]]:
    """Who → what happened → what the listeners saw."""
    base = write_base(folder / "base", size, tokenizer_of)
    never = [token["id"] for token in json.loads((base / "tokenizer.json").read_bytes())["added_tokens"]]
    count = RESIDENT + rounds * COMING
    single = {f"a{index}": write_adapter(folder / "f32" / str(index), size, rank=RANK) for index in range(count)}
    half = {f"b{index}": write_adapter(folder / "bf16" / str(index), size, rank=RANK, dtype="BF16") for index in range(count)}
    await asyncio.to_thread(os.sync)  # else the first publish, which waits for the disk, waits for all these files too
    found = {}
    async with plain_engine(base, folder / "f32-engine") as stage:
        found["plain engine, F32 files"] = await measure(stage, single, rounds, never, at_once=True)
    async with plain_engine(base, folder / "bf16-engine") as stage:
        found["plain engine, BF16 files"] = await measure(stage, half, rounds, never, at_once=True)
    async with troupe(base, folder / "troupe") as stage:
        found["Troupe"] = await measure(stage, single, rounds, never, at_once=False)
    return found


def table(found: dict[str, dict[str, list[Stall]]]) -> list[str]:
    """Rows of Markdown."""
    rows = ["| | what happens meanwhile | p50, ms | p99, ms | max, ms | takes, s |", "| --- | --- | --: | --: | --: | --: |"]
    for who, seen in found.items():
        for what, stalls in seen.items():
            figures = [
                over([stall.p50_ms for stall in stalls]).text(0), over([stall.p99_ms for stall in stalls]).text(0),
                over([stall.max_ms for stall in stalls]).text(0), over([stall.seconds for stall in stalls]).text(1),
            ]  # fmt: skip
            rows.append(f"| {who} | {what} | {' | '.join(figures)} |")
    return rows


@click.command()
@click.option("--demo", required=True, metavar="JSON", help="The line that `troupe demo` prints: the tokenizer is its base's.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--layers", default=12, show_default=True, type=click.IntRange(min=1))
@click.option("--hidden", default=512, show_default=True, type=click.IntRange(min=64))
def main(demo: str, rounds: int, layers: int, hidden: int) -> None:
    """Measure the plain engine and Troupe one after another, and print a table: median (smallest–largest) of the rounds."""
    end_like_ctrl_c()
    size = Size(layers=layers, hidden=hidden, intermediate=3 * hidden, heads=hidden // 64, kv_heads=max(1, hidden // 128))
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as folder:
        for row in table(asyncio.run(compare(Path(json.loads(demo)["base"]), size, rounds, Path(folder)))):
            click.echo(row)


if __name__ == "__main__":
    main()
