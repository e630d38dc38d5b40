"""Requests for the base that share a batch with adapters, on a CPU."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.engine
BATCHES = [(0, 1, 2, 0), (2, 0), (0, 0, 0), (1, 2, 2)]
"""Per token its adapter; 0 is the base."""


@pytest.fixture(scope="module")
def errors() -> dict[str, list[list[float]]]:
    """`stock` and `ours`: for each batch the error of each of its tokens."""
    command = [sys.executable, "-m", "tests.server.engine.mixing", json.dumps(BATCHES)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, list[list[float]]] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_each_token_gets_its_own_adapter_and_the_base_none(errors: dict[str, list[list[float]]]) -> None:
    """The base stays bit by bit what it was, also while the last slot is taken."""
    for adapters, found in zip(BATCHES, errors["ours"], strict=True):
        for adapter, error in zip(adapters, found, strict=True):
            assert error <= (1e-5 if adapter else 0.0)


def test_the_pinned_vllm_still_needs_it(errors: dict[str, list[list[float]]]) -> None:
    """Its own adds the last slot to the base. Once this fails, `server/engine/cpu_lora.py` can go."""
    assert errors["stock"][0][0] > 0.1
