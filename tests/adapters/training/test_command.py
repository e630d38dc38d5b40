"""`troupe train`, as it is called."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli.access import Access
from adapters.curation.dataset import Dataset, write_dataset
from adapters.settings import RegistrySettings
from adapters.training.command import train
from adapters.workspace.workspace import Workspace
from tests.adapters.training.lessons import dataset

SMALL = ["--preset", "demo", "--set", "rank=4", "--set", "tokens=192", "--set", "context_tokens=128", "--set", "held_out_examples=4"]


def call(*arguments: object, home: Path = Path("/nowhere"), base: str = "") -> Result:
    access = Access(settings=lambda: RegistrySettings(home, base=base))
    return CliRunner().invoke(train, list(map(str, arguments)), obj=access)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset on the disk."""
    given = dataset()
    folder = tmp_path / "dataset"
    folder.mkdir()
    write_dataset(folder, Dataset(given.train, given.held_out, {**given.card, "content_hash": given.content_hash}))
    return folder


def test_a_dataset_becomes_an_adapter(base: Path, folder: Path, tmp_path: Path) -> None:
    """The result says where it is, how good it is and what comes next; the way there is on stderr; a second call only says it again."""
    arguments = ("--dataset", folder, "--out", tmp_path / "run", "--base", base, *SMALL)
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "run" / "adapter") in result.stdout
    assert "nats per token" in result.stdout
    assert "troupe evaluate" in result.stdout
    assert "tokens/s" in result.stderr
    assert "rank 4" in result.stderr
    again = json.loads(call(*arguments, "--json").stdout)
    assert again["adapter"] == str(tmp_path / "run" / "adapter")
    assert again["training"] == json.loads((tmp_path / "run" / "training.json").read_text())


def test_a_community_is_trained_in_its_workspace(base: Path, tmp_path: Path) -> None:
    """Its newest dataset, in a run of its own; the base is the one that is set."""
    workspace = Workspace.open(tmp_path, "zizou")
    given = dataset()
    with workspace.locked():
        workspace.new_dataset(Dataset(given.train, given.held_out, {**given.card, "content_hash": given.content_hash}), "")
    result = call("--community", "zizou", *SMALL, "--json", home=tmp_path, base=str(base))
    assert result.exit_code == 0, result.output
    assert workspace.latest_run().adapter == Path(json.loads(result.stdout)["adapter"])


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "Nothing says what to learn: give --community, or --dataset FOLDER."),
        (("--community", "zizou"), 1, "zizou has no dataset yet"),
        (("--community", "../x"), 2, ""),
        (("--dataset", "/nowhere"), 1, "holds no dataset"),
        (("--set", "rank"), 2, "--set rank has no value"),
        (("--set", "rank=no"), 2, "rank cannot be 'no'"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    """On stderr, with the exit code that `troupe --help` promises."""
    result = call(*arguments, home=tmp_path)
    assert result.exit_code == code
    assert result.stderr.startswith("troupe: ")
    assert result.stderr.count("\n") == 1
    assert sentence in result.stderr
    assert result.stdout == ""


def test_without_a_place_to_train_in_nothing_happens(folder: Path) -> None:
    """A dataset alone does not say where."""
    result = call("--dataset", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "give --community, or --out FOLDER" in result.stderr
