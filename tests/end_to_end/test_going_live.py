"""From an adapter's files to the first answer with it, on an engine that runs: seconds."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.end_to_end.asking import Question, asker
from tests.end_to_end.many_voices import Choir
from tests.end_to_end.stack import ADMIN_KEY, API_KEY, ROOT

pytestmark = pytest.mark.engine
SECONDS, TRIES = 2.0, 8


def variant(adapter: Path, number: int, into: Path) -> Path:
    """An adapter that nobody has published: the one in `adapter`, a little louder."""
    into.mkdir()
    (into / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({name: values * np.float32(1 + number / 16) for name, values in weights.items()}, into / "adapter_model.safetensors")
    return into


async def test_an_adapter_answers_two_seconds_after_it_was_published(
    choir: Choir, demo: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Published, promoted with its trial, and asked, through the API. A machine that is busy with something else gets more tries."""
    took: list[float] = []
    async with asker(choir.stack) as asking:
        while len(took) < TRIES and min(took, default=SECONDS) >= SECONDS:
            number = len(took) + 1
            adapter = variant(demo / "adapters" / "zizou", number, tmp_path / str(number))
            began = time.monotonic()
            manifest = choir.admin.debut("quick", adapter)
            answer = await asking.ask(Question("quick", "who wins tonight?"))
            took.append(round(time.monotonic() - began, 2))
            assert answer.adapter == f"quick@{manifest['version']}"
    record_property("publish, promote, first answer through the API, seconds", took)
    assert min(took) < SECONDS


def test_two_commands_bring_an_adapter_live(
    choir: Choir, demo: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """`troupe publish --promote` and `troupe ask`; another one to publish and promote, and `troupe rollback` to go back."""
    first, second = (str(variant(demo / "adapters" / "greybeards", number, tmp_path / str(number))) for number in (1, 2))
    began = time.monotonic()
    assert _troupe(choir, "publish", first, "--community", "slow", "--promote", "--json")["version"] == 1
    assert _run(choir, "ask", "slow", "who wins tonight?").stdout.strip()
    record_property("publish, promote, first answer through the commands, seconds", round(time.monotonic() - began, 2))
    assert _troupe(choir, "publish", second, "--community", "slow", "--json")["version"] == 2
    assert _troupe(choir, "promote", "slow", "2", "--json")["version"] == 2
    assert choir.admin.live("slow")["version"] == 2
    assert _troupe(choir, "rollback", "slow", "--json")["version"] == 1
    assert choir.admin.live("slow")["version"] == 1


def _troupe(choir: Choir, *arguments: str) -> dict[str, object]:
    return dict(json.loads(_run(choir, *arguments).stdout))


def _run(choir: Choir, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**choir.stack.environment(), "TROUPE_API_KEY": API_KEY, "TROUPE_ADMIN_KEY": ADMIN_KEY}
    ran = subprocess.run(["troupe", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran
