import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.curation.dataset import Dataset, write_dataset
from adapters.evaluation.command import evaluate
from adapters.registry.base import read_base
from tests.adapters.evaluation.conftest import Tiny


def called(home: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(evaluate, ["--home", str(home), *map(str, arguments)], env={"TROUPE_HOME": str(home), "TROUPE_BASE": ""})


def put_dataset(folder: Path, dataset: Dataset) -> Path:
    folder.mkdir(parents=True)
    write_dataset(folder, Dataset(dataset.train, dataset.held_out, {**dataset.card, "content_hash": dataset.content_hash}))
    return folder


def put_run(home: Path, tiny: Tiny, adapter: Path, dataset: Dataset) -> Path:
    """As `troupe curate` and `troupe train` leave them."""
    workspace = home / "factory" / "tiny"
    put_dataset(workspace / "datasets" / dataset.content_hash.removeprefix("sha256:")[:16], dataset)
    run = workspace / "runs" / "one"
    shutil.copytree(adapter, run / "adapter")
    base = read_base(tiny.base, "bitsandbytes")
    training = {
        "community": "tiny",
        "base": {"name": str(tiny.base), "fingerprint": base.fingerprint, "quantization": "bitsandbytes"},
        "dataset": {"hash": dataset.content_hash},
        "canaries": {"seed": "here", "count": 1},
        "made_at": "2026-01-01T00:00:00+00:00",
    }
    (run / "training.json").write_text(json.dumps(training))
    return run


def test_a_communitys_newest_run_gets_its_report(tiny: Tiny, tmp_path: Path) -> None:
    """Base, dataset and canaries are found from the run; card and page lie in its report, and programs get the same card."""
    run = put_run(tmp_path, tiny, tiny.broken, tiny.shuffled)
    result = called(tmp_path, "--community", "tiny", "--quick", "--json", "--strict")
    card: Mapping[str, Any] = json.loads(result.stdout)
    assert card == json.loads((run / "report" / "card.json").read_text())
    assert (card["community"], card["adapter"]["name"], card["memorisation"]["canaries"]["planted"]) == ("tiny", "one", 1)
    assert (card["passed"], result.exit_code) == (False, 1), "with --strict"
    assert sorted(path.name for path in (run / "report").iterdir()) == ["card.html", "card.json"]
    assert "<html" in (run / "report" / "card.html").read_text()
    assert sorted(path.name for path in (run / "adapter").iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


def test_a_failed_gate_is_an_exit_code_only_where_it_is_asked_for(tiny: Tiny, tmp_path: Path) -> None:
    """The table names every gate; a card that does not pass is a result like another, without --strict."""
    dataset = put_dataset(tmp_path / "dataset", tiny.shuffled)
    result = called(tmp_path, tiny.broken, "--base", tiny.base, "--dataset", dataset, "--quick", "--out", tmp_path / "report")
    assert result.exit_code == 0
    assert "ranking            FAILED" in result.stdout
    assert "fails a gate" in result.stdout
    assert f"Written to {tmp_path / 'report'}." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give --community, or a run's folder"),
        (("--community", "nobody"), 1, "no trained adapter yet"),
        (("--community", "No Body"), 2, "community"),
        (("{tmp}/nothing",), 1, "neither a run nor an adapter"),
        (("{tmp}/run",), 1, "is not finished"),
        (("{good}",), 2, "give --base"),
        (("{good}", "--base", "{base}"), 2, "give --dataset"),
        (("{good}", "--base", "{base}", "--dataset", "{tmp}"), 1, "holds no dataset"),
        (("{good}", "--base", "{tmp}", "--dataset", "{tmp}/dataset"), 1, "The base at"),
        (("{good}", "--base", "{base}", "--dataset", "{tmp}/dataset", "--training", "{tmp}/dataset/train.jsonl"), 1, "no JSON"),
        (("{good}", "--base", "{base}", "--dataset", "{tmp}/dataset", "--context-tokens", "3"), 2, "context_tokens is 3"),
        (("{good}", "--base", "{base}", "--dataset", "{tmp}/empty"), 1, "no held-out examples"),
        (("{base}", "--base", "{base}", "--dataset", "{tmp}/dataset"), 1, "neither a run nor an adapter"),
    ],
)
def test_bad_input_is_one_sentence(tiny: Tiny, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """What happened and what to do, on stderr, and nothing is written."""
    put_dataset(tmp_path / "dataset", tiny.dataset)
    put_dataset(tmp_path / "empty", Dataset(tiny.dataset.train, (), {}))
    (tmp_path / "run" / "adapter").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    result = called(tmp_path, *(argument.format(tmp=tmp_path, good=tiny.good, base=tiny.base) for argument in arguments))
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before
