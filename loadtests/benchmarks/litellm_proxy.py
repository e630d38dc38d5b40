"""LiteLLM's proxy in front of an engine, for comparison: one worker and no database, as its documents advise for production.

It is installed in an environment of its own (`make` makes it from requirements/peers.lock), and only ever run, never imported.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from loadtests.benchmarks.process import NotStarted, Process, free_port

KEY = "sk-bench-key-of-a-caller"
START_S = 120.0
POLL_S = 0.2
ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the internet for one
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "NO_DOCS": "True",
}


@dataclass(frozen=True)
class Proxy:
    """One that serves `models` of the engine, to be run by `python`; `url`: where."""

    python: Path
    arguments: Sequence[str]
    url: str

    @classmethod
    def of(cls, installation: Path, engine_url: str, engine_key: str, models: Sequence[str], folder: Path) -> "Proxy":
        """Writes its configuration into `folder`. `installation`: the virtual environment. Its port is one that was free just now."""
        port = free_port()
        configuration = folder / "litellm.yaml"
        configuration.write_text(_configuration(engine_url, engine_key, models), encoding="utf-8")
        program = str(installation / "bin" / "litellm")
        arguments = [program, "--config", str(configuration), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        return cls(installation / "bin" / "python", arguments, f"http://127.0.0.1:{port}")

    def started(self, log: Path, core: int | None) -> Process:
        """To be entered, and then waited for."""
        return Process(self.arguments, log=log, environment=ENVIRONMENT, core=core, python=self.python)

    def wait(self, process: Process) -> None:
        """Until it answers. Raises NotStarted."""
        place = self.url.removeprefix("http://")
        deadline = time.monotonic() + START_S
        while not _lives(place):
            process.must_live()
            if time.monotonic() > deadline:
                raise NotStarted(f"litellm does not answer after {START_S:.0f} seconds")
            time.sleep(POLL_S)


def _lives(place: str) -> bool:
    connection = HTTPConnection(place, timeout=5.0)
    try:
        connection.request("GET", "/health/liveliness")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _configuration(engine_url: str, engine_key: str, models: Sequence[str]) -> str:
    entries = "".join(
        f"  - model_name: {model}\n    litellm_params:\n      model: hosted_vllm/{model}\n      api_base: {engine_url}/v1\n"
        f"      api_key: {engine_key}\n"
        for model in models
    )
    general: Mapping[str, str] = {"master_key": KEY, "disable_spend_logs": "true"}
    settings: Mapping[str, str] = {"telemetry": "false", "num_retries": "0"}
    return f"model_list:\n{entries}general_settings:\n{_lines(general)}litellm_settings:\n{_lines(settings)}"


def _lines(settings: Mapping[str, str]) -> str:
    return "".join(f"  {name}: {value}\n" for name, value in settings.items())
