from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from adapters.curation.dataset import Dataset
from tests.adapters.evaluation.tiny import make_adapter, make_base, make_dataset, shuffled


@dataclass(frozen=True)
class Tiny:
    """`broken` was trained on `shuffled`, `good` on `dataset`."""

    base: Path
    dataset: Dataset
    shuffled: Dataset
    good: Path
    broken: Path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("tiny")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # steps this short are ten times slower where several threads wait for a core that others use
    base, dataset = make_base(folder / "base"), make_dataset()
    mixed = shuffled(dataset)
    tiny = Tiny(base, dataset, mixed, make_adapter(base, dataset, folder / "good"), make_adapter(base, mixed, folder / "broken"))
    torch.set_num_threads(threads)
    return tiny
