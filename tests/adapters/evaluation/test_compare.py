"""Several models side by side: each opened once, after the other; their scores, paired differences and a claim about them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from adapters.evaluation.compare import ALL, compare
from adapters.evaluation.contestant import Contestant, ServedModel, find_contestant
from adapters.evaluation.errors import BadComparison, EvaluationError, NotServed, WrongBase
from adapters.evaluation.harness import Finished, HarnessSettings
from adapters.evaluation.server import RunningServer
from adapters.evaluation.tax import Item, Reader, Task
from adapters.pages import comparison_page
from adapters.registry.lora_config import FILE as ADAPTER_FILE
from adapters.training.rendering import Renderer
from tests.adapters.evaluation.stub_server import StubServer, expected
from tests.adapters.evaluation.test_harness import write_results

TASKS = (
    Task("odd", "Items with odd numbers.", tuple(Item(f"odd {n}", ("good", "bad"), 0) for n in range(60))),
    Task("even", "Items with even numbers.", tuple(Item(f"even {n}", ("good", "bad"), 0) for n in range(40))),
)


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody looks."""


class Characters(Renderer):
    """Token ids are characters."""

    def __init__(self) -> None:
        self.end = 0

    def prompt(self, turns: Sequence[object]) -> list[int]:
        return list(map(ord, getattr(turns[0], "text", "")))

    def reply(self, target: str) -> list[int]:
        return [*map(ord, target), self.end]


class Knowing:
    """Finds the good reply likelier to the prompts whose number is below `share` of a hundred."""

    def __init__(self, share: int) -> None:
        self.renderer = Characters()
        self._share = share

    def log_likelihoods(self, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
        number = int("".join(map(chr, prompt)).split()[1]) * 37 % 100
        good, bad = (-1.0, -9.0) if number < self._share else (-9.0, -1.0)
        return [good * len(targets[0]), bad * len(targets[1])]


class Stage:
    """Who was open when."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.events: list[str] = []

    def contestant(self, name: str, share: int, *, model: str | None = None) -> Contestant:
        return Contestant(name, "served" if model else "base", f"/models/{name}", self._opener(name, share), model)

    def _opener(self, name: str, share: int) -> Callable[[], AbstractContextManager[Reader]]:
        @contextmanager
        def opened() -> Iterator[Reader]:
            assert self.open == []
            self.open.append(name)
            self.events.append(name)
            yield Knowing(share)
            self.open.remove(name)

        return opened


def three() -> list[Contestant]:
    stage = Stage()
    return [stage.contestant(name, share) for name, share in (("original", 20), ("abliterated", 50), ("tuned", 90))]


def test_every_model_answers_the_same_items_one_after_the_other() -> None:
    """A row for each task and one for all, with an interval each and paired differences to the first."""
    found = compare(three(), TASKS, progress=quiet)
    assert [each["name"] for each in found["models"]] == ["original", "abliterated", "tuned"]
    assert [(row["name"], row["examples"]) for row in found["tasks"]] == [("odd", 60), ("even", 40), (ALL, 100)]
    for row in found["tasks"]:
        values = [score["value"] for score in row["scores"]]
        assert values == sorted(values)
        assert row["differences"][0] is None
        for score, value, difference in zip(row["scores"][1:], values[1:], row["differences"][1:], strict=True):
            assert score["low"] <= value <= score["high"]
            assert difference["value"] == pytest.approx(value - values[0])
            assert difference["low"] > 0
    json.dumps(found, allow_nan=False)
    assert found["claim"] is None


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [("original < abliterated < tuned", "holds"), ("tuned < original", "contradicted"), ("original > tuned", "contradicted")],
)
def test_a_claim_is_checked_on_all_items(claim: str, verdict: str) -> None:
    """And said in a sentence."""
    found = compare(three(), TASKS, claim=claim, progress=quiet)
    assert found["claim_checked"]["verdict"] == verdict
    assert verdict in found["claim"]


def test_a_page_can_be_drawn_of_it() -> None:
    """With every model's name and the claim's answer."""
    page = comparison_page(compare(three(), TASKS, claim="original < tuned", progress=quiet))
    assert all(name in page for name in ("original", "abliterated", "tuned", "Holds"))


def test_nothing_is_loaded_for_a_comparison_that_cannot_be() -> None:
    """One model, two of one name, a claim about a third, the harness on a model that is nowhere served."""
    stage = Stage()
    a, b = stage.contestant("a", 20), stage.contestant("b", 50)
    harness = HarnessSettings(("toy",), "base")
    for contestants, claim, asked, sentence in (
        ([a], None, None, "two models or more"),
        ([a, b, a], None, None, "Two models are called 'a'"),
        ([a, b], "a < c", None, "'c'"),
        ([a, b], None, harness, "a is not one of its models"),
        ([stage.contestant("s", 1, model="base"), stage.contestant("t", 1, model="zizou")], None, harness, "say which with --url"),
    ):
        with pytest.raises(BadComparison, match=sentence):
            compare(contestants, TASKS, claim=claim, harness=asked, progress=quiet)
    assert stage.events == []


def test_the_harness_s_rows_stand_beside_ours() -> None:
    """Each model once, the same settings; its standard errors become intervals."""
    stage = Stage()
    contestants = [stage.contestant("first", 20, model="base"), stage.contestant("second", 50, model="zizou@7")]
    results = {"base": [1.0, 0.0, 1.0, 1.0], "zizou@7": [0.0, 0.0, 1.0, 1.0]}

    def execute(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> Finished:
        (model,) = [name for name in results if f"model={name!r}" in command]
        write_results(Path(command[command.index("--output_path") + 1]).parent, results[model])
        return Finished(0, "")

    settings = HarnessSettings(("toy",), "base")
    found = compare(contestants, TASKS, harness=settings, server=StubServer().client(), progress=quiet, execute=execute)
    row = found["tasks"][-1]
    assert row["name"] == "lm-evaluation-harness: toy"
    assert [score["value"] for score in row["scores"]] == [0.75, 0.5]
    assert row["scores"][0]["high"] == pytest.approx(0.75 + 1.96 * 0.1, abs=1e-3)
    assert row["differences"][1]["value"] == -0.25
    assert "0.4.13" in found["method"]
    json.dumps(found, allow_nan=False)


def nobody() -> RunningServer:
    raise AssertionError("no server is to be asked")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    return tmp_path / "base"


def adapter_in(folder: Path, made_for: object) -> Path:
    folder.mkdir(parents=True)
    (folder / ADAPTER_FILE).write_text(json.dumps({"base_model_name_or_path": made_for}))
    return folder


def test_arguments_are_told_apart_by_what_they_are(tmp_path: Path, base: Path) -> None:
    """A directory, a name on the hub, an adapter's folder, a run's; with a name of one's own in front."""
    adapter = adapter_in(tmp_path / "run" / "adapter", str(base))
    cases = {
        str(base): ("base", str(base)),
        f"original={base}": ("base", str(base)),
        "Qwen/Qwen3-8B": ("base", "Qwen/Qwen3-8B"),
        f"tuned={adapter}": ("adapter", f"{adapter} on {base}"),
        str(tmp_path / "run"): ("adapter", f"{tmp_path / 'run'} on {base}"),
    }
    for given, (kind, source) in cases.items():
        found = find_contestant(given, base=None, server=nobody)
        assert (found.kind, found.source, found.model) == (kind, source, None)
    assert find_contestant(f"tuned={adapter}", base=None, server=nobody).name == "tuned"
    assert find_contestant(f"x={adapter}", base="Other/Base", server=nobody).source.endswith("on Other/Base")


def test_what_is_no_directory_is_a_model_of_the_server(base: Path) -> None:
    """Held to its version."""
    found = find_contestant("live=zizou", base=str(base), server=StubServer().client)
    assert (found.name, found.kind, found.model) == ("live", "served", "zizou@7")
    assert found.source == "zizou@7 at http://troupe.example"


@pytest.mark.parametrize("made_for", [None, "", 5, "/nowhere/at/all"])
def test_an_adapter_without_its_base_is_refused(tmp_path: Path, made_for: object) -> None:
    """--base says it."""
    with pytest.raises(WrongBase, match="--base"):
        find_contestant(str(adapter_in(tmp_path / "a", made_for)), base=None, server=nobody)


@pytest.mark.parametrize(
    ("given", "base", "sentence"),
    [
        ("/nowhere/at/all", None, "neither a directory"),
        ("Zizou!", None, "neither a directory"),
        ("zizou", None, "with --base"),
        ("nobody", "base", "There is no directory 'nobody', so a server was to be asked.*serves no model"),
    ],
)
def test_a_name_that_means_nothing_is_refused(given: str, base: str | None, sentence: str) -> None:
    """With what it could have been."""
    with pytest.raises(EvaluationError, match=sentence):
        find_contestant(given, base=base, server=StubServer().client)


def test_without_a_server_a_misspelt_folder_is_named_first() -> None:
    """And then why nobody could be asked."""

    def away() -> RunningServer:
        return RunningServer("http://troupe.example", "")

    with pytest.raises(NotServed, match=r"no directory 'zizuo'.*TROUPE_EVALUATE_KEY"):
        find_contestant("zizuo", base="base", server=away)


def test_a_served_model_is_read_like_a_loaded_one() -> None:
    """Log-likelihoods of replies, from the server's positions."""
    model = ServedModel(StubServer().client(), "zizou@7", Characters())
    found = model.log_likelihoods([1, 2], [[3, 4], [9]])
    known = [[(2, 3), (3, 4)], [(2, 9)]]
    assert found == pytest.approx([sum(expected("zizou@7", before)[token] for before, token in each) for each in known])
