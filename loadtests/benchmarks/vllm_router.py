"""vllm-router, the one in Rust, in front of an engine, for comparison.

Installed as `litellm_proxy` says, and only ever run, never imported. It knows no keys of its own: callers bring the engine's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.benchmarks.process import Process, free_port

START_S = 60.0


@dataclass(frozen=True)
class Router:
    """In front of one engine; `url`: where."""

    python: Path
    arguments: Sequence[str]
    url: str

    @classmethod
    def of(cls, installation: Path, engine_url: str) -> "Router":
        """`installation`: the virtual environment. Its ports are such as were free just now.

        Nothing is tried again and nothing is held back, so that one request here is one there.
        """
        port, metrics_port = free_port(), free_port()
        arguments = [
            str(installation / "bin" / "vllm-router"), "--worker-urls", engine_url, "--host", "127.0.0.1", "--port", str(port),
            "--prometheus-port", str(metrics_port), "--log-level", "warning", "--disable-retries", "--disable-circuit-breaker",
        ]  # fmt: skip
        return cls(installation / "bin" / "python", arguments, f"http://127.0.0.1:{port}")

    def started(self, log: Path) -> Process:
        """To be entered, and then waited for."""
        return Process(self.arguments, log=log, python=self.python)
