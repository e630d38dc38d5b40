"""What stands between the client and the engine's stand-in, each as a process of its own: nothing, Troupe, LiteLLM, FastAPI with httpx.

Troupe is the whole of `troupe up`, with all that it does for a request on: a key of the table, for one community; limits of each kind,
none of which is reached; prices; admission; and the ledger, on this machine's disk.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from loadtests.benchmarks import litellm_proxy
from loadtests.benchmarks.litellm_proxy import Proxy
from loadtests.benchmarks.process import TROUPE, NotStarted, Process

ENGINE_KEY, ADMIN_KEY = "bench-key-of-the-engine", "bench-key-of-an-operator"
DIRECT, GATEWAY, HTTPX, LITELLM = "direct", "troupe", "httpx", "litellm"
COMMUNITY = "bench"
URL = r"(http://127\.0\.0\.1:\d+)"
START_S = 120.0
BATCH = 256
"""The stand-in takes any number: none should wait for its turn."""
LIMITS = ",".join(
    (
        "requests_per_minute=1000000000", "tokens_per_minute=1000000000", "concurrent=100000", "tokens_per_day=1000000000000",
        "money_per_month=1000000",
    )
)  # fmt: skip
"""Each is looked at for every request, and none is ever in the way."""
PRICES = {"TROUPE_PRICE_PROMPT": "0.1", "TROUPE_PRICE_CACHED": "0.05", "TROUPE_PRICE_COMPLETION": "0.4"}


@dataclass(frozen=True)
class Served:
    """What the gateway serves: a base and an adapter, published as the community `bench`."""

    base: Path
    adapter: Path


@dataclass(frozen=True)
class Target:
    """One path: where to ask, with which key, for what, and whose CPU time and memory to read."""

    url: str
    key: str
    model: str
    process: Process


@dataclass(frozen=True)
class Started:
    """Starts processes on one core that live as long as `stack`, with their output in `folder`."""

    stack: ExitStack
    folder: Path
    core: int | None

    def process(self, name: str, arguments: Sequence[str], pattern: str, **environment: str) -> tuple[Process, str]:
        """The process, and the address that it says. Raises NotStarted."""
        process = self.stack.enter_context(Process(arguments, log=self.folder / f"{name}.log", environment=environment, core=self.core))
        return process, process.wait_for(pattern, seconds=START_S)

    def troupe(self, served: Served, engine_url: str, engine_key: str, *, batch: int) -> Target:
        """`batch`: requests that the engine takes at once, as admission is told."""
        home = self.folder / "home"
        publish(served, home)
        settings = {
            "TROUPE_HOME": str(home), "TROUPE_BASE": str(served.base), "TROUPE_PORT": "0", "TROUPE_ADMIN_KEY": ADMIN_KEY,
            "TROUPE_ENGINE_URL": engine_url, "TROUPE_ENGINE_API_KEY": engine_key, "TROUPE_ENGINE_MAX_NUM_SEQS": str(batch),
            "TROUPE_COMMUNITY_LIMITS": LIMITS, "TROUPE_KEY_LIMITS": LIMITS, **PRICES,
        }  # fmt: skip
        process, url = self.process("troupe", [TROUPE, "up"], rf"URL +{URL}", **settings)
        return Target(url, chat_key(url), COMMUNITY, process)

    def litellm(self, installation: Path, engine_url: str, engine_key: str, model: str) -> Target:
        proxy = Proxy.of(installation, engine_url, engine_key, [model], self.folder)
        process = self.stack.enter_context(proxy.started(self.folder / "litellm.log", self.core))
        proxy.wait(process)
        return Target(proxy.url, litellm_proxy.KEY, model, process)

    def httpx(self, engine_url: str, engine_key: str) -> Target:
        arguments = ["-m", "loadtests.benchmarks.httpx_relay", "--engine", engine_url]
        process, url = self.process("httpx", arguments, URL)
        return Target(url, engine_key, "base", process)


@contextmanager
def running(
    served: Served, peers: Path | None, engine: Sequence[str], folder: Path, cores: Sequence[int]
) -> Iterator[Mapping[str, Target]]:
    """The stand-in, called with the options `engine`, on the first core, and every relay before it, on the last; all ended when the block
    is left. `peers`: where LiteLLM is installed, None to leave it out. Raises NotStarted."""
    with ExitStack() as stack:
        beside, relays = Started(stack, folder, cores[0]), Started(stack, folder, cores[-1])
        stand_in, engine_url = beside.process("engine", ["-m", "loadtests.benchmarks.instant_engine", *engine], URL)
        targets = {
            DIRECT: Target(engine_url, ENGINE_KEY, "base", stand_in),
            GATEWAY: relays.troupe(served, engine_url, ENGINE_KEY, batch=BATCH),
            HTTPX: relays.httpx(engine_url, ENGINE_KEY),
        }
        if peers is not None:
            targets[LITELLM] = relays.litellm(peers, engine_url, ENGINE_KEY, "base")
        yield targets


def publish(served: Served, home: Path) -> None:
    """Make the adapter the live one of the community in `home`. Raises NotStarted with the words of whoever refuses."""
    command = [sys.executable, TROUPE, "publish", str(served.adapter), "--base", str(served.base), "--home", str(home)]
    done = subprocess.run([*command, "--community", COMMUNITY, "--promote"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStarted(f"the adapter was not published: {done.stderr}")


def chat_key(url: str) -> str:
    """A new key of the table, as an operator makes it for a community."""
    wanted = {"name": "benchmark", "scopes": ["chat"], "communities": [COMMUNITY]}
    answer = httpx.post(f"{url}/admin/v1/keys", json=wanted, headers={"authorization": f"Bearer {ADMIN_KEY}"}, timeout=30.0)
    answer.raise_for_status()
    return str(answer.json()["key"])
