import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.registry import InvalidAdapter, read_base
from adapters.registry.validation import validate
from tests.adapters.registry.hostile import MAX_RANK, good_adapter
from tests.adapters.registry.hostile_all import CASES, hostile_adapters
from tests.adapters.registry.tiny import write_base

ROOT = Path(__file__).parents[3]
MOST_S = 5.0
"""Five times what is promised, as the machine of a test is shared."""
MOST_MIB = 50


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("hostile") / "base")


def _tree(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_size) for path in folder.rglob("*"))


def test_the_good_adapter_of_the_catalogue_is_accepted(base: Path, tmp_path: Path) -> None:
    """So each of the others is refused for its one fault and not for a second one."""
    good_adapter(base).write(tmp_path)
    assert validate(tmp_path, read_base(base, "none"), max_rank=MAX_RANK).rank == 2


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_adapter_is_refused_in_one_sentence_that_names_the_field(name: str, base: Path, tmp_path: Path) -> None:
    """And quickly; and nothing appears beside it, which a canary would."""
    hostile = hostile_adapters(base)[name]
    folder = hostile.make(tmp_path / "adapter")
    before = _tree(tmp_path)
    start = time.perf_counter()
    with pytest.raises(InvalidAdapter) as refused:
        validate(folder, read_base(base, "none"), max_rank=MAX_RANK)
    took = time.perf_counter() - start
    sentence = str(refused.value)
    assert refused.value.field == hostile.field
    assert sentence.isprintable()
    assert 20 < len(sentence) < 400
    assert sentence.endswith(".")
    assert str(tmp_path) not in sentence
    assert took < MOST_S
    assert _tree(tmp_path) == before


SENTENCES = {
    "a magnitude of DoRA": "DoRA is not served",
    "a LoRA of the head": "the head is not served",
    "a whole embedding": "the embedding is not served",
    "a saved module": "a whole module is not served",
    "a name that climbs": "no LoRA weight of a linear layer of this base",
    "a module without weights": "down_proj is in target_modules and has no weights",
    "weights without their module": "up_proj is in the weights and not in target_modules",
    "all linear modules": "list the modules by name",
    "the head": "only q_proj, k_proj",
    "rank 4096": "the largest rank this engine serves",
    "another rank than its configuration": "The rank r is 2 in adapter_config.json and 4 in the weights",
    "a pair of another base": "trained for another base",
    "another base": "made for another base",
    "nothing but zeros": "changes nothing",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_the_sentence_says_what_is_wrong(name: str, base: Path, tmp_path: Path) -> None:
    """Its owner can act on it."""
    folder = hostile_adapters(base)[name].make(tmp_path / "adapter")
    with pytest.raises(InvalidAdapter, match=SENTENCES[name]):
        validate(folder, read_base(base, "none"), max_rank=MAX_RANK)


def test_refusing_them_all_costs_little_memory_and_reaches_no_library(
    base: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One process refuses the whole catalogue: it does not grow by 50 MiB, imports nothing for them, and none takes long."""
    folder = tmp_path / "all"
    for number, hostile in enumerate(hostile_adapters(base).values()):
        hostile.make(folder / f"{number:03}")
    command = [sys.executable, "-m", "tests.adapters.registry.validate_folders", str(base), str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    record_property("hostile adapters", len(CASES))
    record_property("memory growth MiB", round(told["grown_mib"], 1))
    record_property("slowest refusal s", f"{told['slowest_s']:.3f}, {list(CASES)[int(told['slowest'].split('.')[0])]}")
    assert told["accepted"] == []
    assert told["imported"] == []
    assert told["grown_mib"] < MOST_MIB
    assert told["slowest_s"] < MOST_S
