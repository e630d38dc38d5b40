"""The images' locks are enough for what runs in them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def import_with(lock: str, *modules: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.deploy.only_locked", f"requirements/{lock}.lock", *modules]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("lock", "modules"),
    [
        ("gateway", ("clients.cli.main", "server.cli", "server.gateway.app", "adapters.cli.publish", "adapters.cli.upkeep")),
        ("bot", ("clients.cli.main", "clients.discord_bot.command")),
    ],
)
def test_an_image_has_all_that_its_process_imports(lock: str, modules: tuple[str, ...]) -> None:
    """With nothing but the lock's packages, the process's own modules can be imported."""
    done = import_with(lock, *modules)
    assert done.returncode == 0, done.stderr


def test_what_is_not_locked_is_not_there() -> None:
    """The check itself works: torch cannot be imported in the gateway's image."""
    done = import_with("gateway", "torch")
    assert done.returncode != 0
    assert "in the image" in done.stderr
