"""What a running server adds to a report card and to a comparison. The server is two models of this process behind vLLM's shape."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from adapters.cli.errors import BadUsage
from adapters.evaluation.command import evaluate
from adapters.evaluation.distance import measure
from adapters.evaluation.errors import NotServed
from adapters.evaluation.models import LoadedModel, load_model
from adapters.evaluation.online import asked_too, compare_models, measure_served
from adapters.evaluation.options import Online
from adapters.evaluation.prompts import neutral_prompts
from adapters.evaluation.server import RunningServer
from adapters.evaluation.settings import EvaluationSettings
from adapters.settings import child_environment, read_server_settings
from tests.adapters.evaluation.conftest import Tiny
from tests.adapters.evaluation.stub_server import KEY, URL

SETTINGS = EvaluationSettings(neutral_prompts=6, distance_tokens=6, task_items=4)


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody looks."""


class LoadedServer:
    """Serves the tiny base, quantized, and its good adapter as zizou@1."""

    def __init__(self, tiny: Tiny) -> None:
        self._models: dict[str, LoadedModel] = {"base": load_model(tiny.base), "zizou@1": load_model(tiny.base, tiny.good)}
        self.asked: list[str] = []

    def client(self, online: Online | None = None) -> RunningServer:
        return RunningServer(URL, KEY, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        version = {"zizou": "zizou@1"}.get(body["model"], body["model"])
        self.asked.append(version)
        if version not in self._models:
            return httpx.Response(404, json={"error": {"message": "The model does not exist."}})
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        told = [self._told(self._models[version], text, body["prompt_logprobs"]) for text in prompts]
        choices = [{"index": place, "text": "", "prompt_logprobs": each} for place, each in enumerate(told)]
        return httpx.Response(200, json={"choices": choices}, headers={"x-troupe-adapter": version})

    @staticmethod
    def _told(model: LoadedModel, text: Sequence[int], k: int) -> list[Any]:
        positions: list[Any] = [None]
        for row, token in zip(model.log_probabilities(text[:1], text[1:]), text[1:], strict=True):
            values, tokens = row.topk(k)
            known = {**dict(zip(tokens.tolist(), values.tolist(), strict=True)), token: float(row[token])}
            positions.append({str(each): {"logprob": value} for each, value in known.items()})
        return positions


@pytest.fixture(scope="module")
def served(tiny: Tiny) -> LoadedServer:
    return LoadedServer(tiny)


def test_served_distance_is_of_the_same_texts_as_the_exact_one(tiny: Tiny, served: LoadedServer) -> None:
    """So it is below it and not far; and serving moves the base by what quantization does to it, which is less than the adapter."""
    found = measure_served(served.client(), tiny.base, "zizou", SETTINGS, quiet)
    model = load_model(tiny.base, tiny.good)
    exact = measure(model, neutral_prompts(6), tokens=6, seed=0, progress=lambda done, total: None)
    mean = math.fsum(token.kl for token in exact) / len(exact)
    assert found["tokens"] == len(exact)
    assert 0.2 * mean < found["kl_mean"]["value"] <= mean + 1e-6
    shift = found["base_shift"]
    assert "before quantization" in shift["method"]
    assert 0 < shift["kl_mean"]["value"] < found["kl_mean"]["value"]


def test_a_card_gets_its_served_part_and_keeps_the_others(tiny: Tiny, served: LoadedServer) -> None:
    """Only where it was asked for; the card that came in stays as it was."""
    card = {"distance": {"kl": 1, "served": None}, "tax": {"tasks": [], "harness": None}, "passed": True}
    with asked_too(Online(served="zizou"), tiny.base, SETTINGS, quiet, open_server=served.client) as complete:
        whole = complete(card)
    assert whole["distance"]["served"]["models"] == {"base": "base", "adapter": "zizou@1"}
    assert card["distance"] == {"kl": 1, "served": None}
    assert (whole["tax"], whole["passed"], whole["distance"]["kl"]) == (card["tax"], True, 1)
    served.asked.clear()
    with asked_too(Online(), tiny.base, SETTINGS, quiet, open_server=served.client) as complete:
        assert complete(card) == card
    assert served.asked == []


def test_a_model_that_is_not_served_is_refused_before_anything_long(tiny: Tiny, served: LoadedServer) -> None:
    """The evaluation inside never begins."""
    with (
        pytest.raises(NotServed, match="'nobody'"),
        asked_too(Online(served="nobody"), tiny.base, SETTINGS, quiet, open_server=served.client),
    ):
        pytest.fail("it began")


def test_served_and_loaded_models_compare_as_equals(tiny: Tiny, served: LoadedServer) -> None:
    """The same weights, asked over the wire and in this process."""
    given = ["a=base", f"b={tiny.base}", "c=zizou", f"d={tiny.good}"]
    found = compare_models(given, Online(), base=str(tiny.base), settings=SETTINGS, progress=quiet, open_server=served.client)
    assert [model["kind"] for model in found["models"]] == ["served", "base", "served", "adapter"]
    for row in found["tasks"]:
        a, b, c, d = (score["value"] for score in row["scores"])
        assert (a, c) == (b, d)


@pytest.mark.parametrize(
    ("online", "models", "sentence"),
    [
        (Online(claim="a < b"), 1, "--claim"),
        (Online(served="zizou"), 2, "beside the others"),
        (Online(harness=("toy",)), 1, "--served"),
        (Online(limit=5), 2, "--harness"),
        (Online(include_path=Path("x")), 1, "--harness"),
    ],
)
def test_options_that_do_not_go_together_are_refused(online: Online, models: int, sentence: str) -> None:
    """With the one that is missing or too much."""
    with pytest.raises(BadUsage, match=sentence):
        online.check(models)


def test_the_harness_needs_to_know_the_base(tiny: Tiny) -> None:
    """Its tokenizer counts the tokens of a question."""
    with pytest.raises(BadUsage, match="--base"):
        compare_models(["base", "zizou"], Online(harness=("toy",)), base="", settings=SETTINGS, progress=quiet)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """`troupe evaluate`, where no server is."""
    environment = {"TROUPE_HOME": str(tmp_path / "home"), "TROUPE_URL": "http://127.0.0.1:9", "TROUPE_EVALUATE_KEY": ""}
    return lambda *arguments: CliRunner(env=environment).invoke(evaluate, list(map(str, arguments)))


def test_the_command_compares_and_writes_a_page(tiny: Tiny, tmp_path: Path, run: Callable[..., Result]) -> None:
    """A table for people, JSON and a page on the disk."""
    models = (f"plain={tiny.base}", f"good={tiny.good}")
    done = run(*models, "--base", tiny.base, "--quick", "--claim", "plain < good", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "plain < good" in done.output
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [model["name"] for model in found["models"]] == ["plain", "good"]
    assert "plain" in (tmp_path / "out" / "comparison.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("{base}", "nosuch"), 1, "no directory 'nosuch'"),
        (("{base}", "nosuch", "--base", "{base}"), 1, "TROUPE_EVALUATE_KEY"),
        (("{base}", "{base}"), 1, "names of their own"),
        (("a={base}", "b={base}", "--claim", "a < c"), 1, "'c'"),
        (("{good}", "--harness", "toy"), 2, "--served"),
    ],
)
def test_what_the_command_cannot_do_is_one_sentence(
    tiny: Tiny, run: Callable[..., Result], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """With an exit code, and no result."""
    done = run(*(each.format(base=tiny.base, good=tiny.good) for each in arguments))
    assert done.exit_code == code
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_key_is_the_environment_s_or_the_home_s(tmp_path: Path) -> None:
    """A server of this machine keeps it where everybody of it looks."""
    assert read_server_settings({"TROUPE_HOME": str(tmp_path)}).evaluate_key == ""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "evaluate").write_text("tr_kept\n")
    assert read_server_settings({"TROUPE_HOME": str(tmp_path)}).evaluate_key == "tr_kept"
    assert read_server_settings({"TROUPE_HOME": str(tmp_path), "TROUPE_EVALUATE_KEY": "tr_set"}).evaluate_key == "tr_set"
    assert "tr_kept" not in repr(read_server_settings({"TROUPE_HOME": str(tmp_path)}))


def test_other_programs_get_none_of_our_keys() -> None:
    """Only what they are meant to have."""
    ours = {"PATH": "/bin", "TROUPE_ADMIN_KEY": "secret", "TROUPE_EVALUATE_KEY": "secret", "HF_DATASETS_OFFLINE": "1"}
    assert child_environment(ours, OPENAI_API_KEY="key") == {"PATH": "/bin", "HF_DATASETS_OFFLINE": "1", "OPENAI_API_KEY": "key"}
