"""Bad inputs 24 to 28, by their numbers: adapters that would run something, fill memory or climb out of their folder.

The cases are those of the catalogue (`hostile_all.py`), where each is one fault in an adapter that would otherwise pass.
"""

import sys
from pathlib import Path

import pytest

from adapters.registry import InvalidAdapter, read_base
from adapters.registry.validation import validate
from tests.adapters.registry.hostile import CANARY, MAX_RANK, MODULE_CANARY
from tests.adapters.registry.hostile_all import CASES, hostile_adapters
from tests.adapters.registry.hostile_configs import CONFIGS
from tests.adapters.registry.hostile_files import FILES
from tests.adapters.registry.hostile_weights import WEIGHTS_CASES
from tests.adapters.registry.tiny import write_base

PICKLES = [name for name in FILES if "pickle" in name]
EXTRAS = ["a tokenizer", "added tokens", "a chat template", "code", "a training state"]
IMPORTS = [name for name in CONFIGS if "import" in name or "hub" in name or "Megatron" in name or "trust" in name]
OTHER_KINDS = [name for name in CONFIGS if name not in IMPORTS] + EXTRAS
PLACES = [name for name in FILES if name not in PICKLES + EXTRAS]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("bad") / "base")


def refuse_all(names: list[str], base: Path, folder: Path) -> None:
    """Each names its field in one sentence; nothing ran, nothing was imported, and nothing was written beside it."""
    assert names
    for number, name in enumerate(names):
        hostile = hostile_adapters(base)[name]
        adapter = hostile.make(folder / f"{number}" / "adapter")
        before = sorted(adapter.parent.rglob("*"))
        with pytest.raises(InvalidAdapter) as refused:
            validate(adapter, read_base(base, "none"), max_rank=MAX_RANK)
        assert refused.value.field == hostile.field, name
        assert str(refused.value).endswith(".")
        assert str(folder) not in str(refused.value)
        assert sorted(adapter.parent.rglob("*")) == before, name
    assert not list(folder.rglob(f"*{CANARY}"))
    assert MODULE_CANARY not in sys.modules


def test_24_weights_that_are_programs(base: Path, tmp_path: Path) -> None:
    """Pickles, alone or beside good weights, by their own name or by another: none is opened."""
    refuse_all(PICKLES, base, tmp_path)


def test_25_configurations_that_import(base: Path, tmp_path: Path) -> None:
    """A library to load, a core to load, code from the hub, trust in all of it."""
    refuse_all(IMPORTS, base, tmp_path)


def test_26_weights_that_are_none(base: Path, tmp_path: Path) -> None:
    """Headers without measure, tensors over each other, beyond the end, without numbers."""
    refuse_all(list(WEIGHTS_CASES), base, tmp_path)


def test_27_adapters_of_kinds_that_are_not_served(base: Path, tmp_path: Path) -> None:
    """Other ranks, whole modules, another base; a template or a tokenizer of their own."""
    refuse_all(OTHER_KINDS, base, tmp_path)


def test_28_folders_that_are_none(base: Path, tmp_path: Path) -> None:
    """Links, devices, five thousand files, names that climb or clash, a terabyte of nothing."""
    refuse_all(PLACES, base, tmp_path)


def test_no_case_of_the_catalogue_is_left_out() -> None:
    """Together they are all there is."""
    assert sorted([*PICKLES, *IMPORTS, *WEIGHTS_CASES, *OTHER_KINDS, *PLACES]) == sorted(CASES)
