"""The whole catalogue of adapters that must be refused."""

from pathlib import Path

from tests.adapters.registry.hostile import Case, Hostile, bind
from tests.adapters.registry.hostile_configs import CONFIGS
from tests.adapters.registry.hostile_files import FILES
from tests.adapters.registry.hostile_weights import WEIGHTS_CASES

CASES: dict[str, Case] = {**FILES, **WEIGHTS_CASES, **CONFIGS}


def hostile_adapters(base: Path) -> dict[str, Hostile]:
    """Every one of them, for the base in this directory, by what is wrong with it."""
    return bind(CASES, base)
