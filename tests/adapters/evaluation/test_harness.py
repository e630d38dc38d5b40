"""The command of lm-evaluation-harness, what is read of its results, and a sentence for each way in which it fails.

The harness itself runs in tests/end_to_end; here something else stands in its place.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.evaluation.errors import HarnessFailed
from adapters.evaluation.harness import (
    Finished,
    HarnessSettings,
    TaskScore,
    check,
    difference,
    execute,
    harness_card,
    harness_command,
    read_run,
    reason,
    run_harness,
)
from tests.adapters.evaluation.stub_server import KEY, URL, StubServer

SETTINGS = HarnessSettings(("toy", "others"), "/models/it's, here")


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody looks."""


def write_results(folder: Path, values: Sequence[float], *, metric: str = "acc") -> None:
    """As the harness writes them: one aggregated file and one of samples."""
    mean = sum(values) / len(values)
    content = {
        "results": {"toy": {"alias": "toy", "sample_len": len(values), f"{metric},none": mean, f"{metric}_stderr,none": 0.1}},
        "higher_is_better": {"toy": {metric: True}},
        "lm_eval_version": "0.4.13",
    }
    folder.mkdir(exist_ok=True)
    (folder / "results_2026-01-02T03-04-05.678.json").write_text(json.dumps(content))
    samples = [{"doc_id": n, "filter": "none", "metrics": [metric], metric: value} for n, value in enumerate(values)]
    (folder / "samples_toy_2026-01-02T03-04-05.678.jsonl").write_text("".join(json.dumps(each) + "\n" for each in samples))


class Harness:
    """Stands in for the program: leaves `results[model]` where it is told to, or ends with `code` and `output`."""

    def __init__(self, results: Mapping[str, Sequence[float]], *, code: int = 0, output: str = "") -> None:
        self.results = results
        self.end = Finished(code, output)
        self.calls: list[tuple[list[str], Mapping[str, str]]] = []

    def __call__(self, command: Sequence[str], environment: Mapping[str, str], seconds: float) -> Finished:
        self.calls.append((list(command), environment))
        if self.end.code == 0:
            folder = Path(command[command.index("--output_path") + 1]).parent
            (model,) = [name for name in self.results if f"model={name!r}" in command]
            write_results(folder, self.results[model])
        return self.end


def test_every_model_gets_the_same_command_but_for_its_name() -> None:
    """Held to its version; the key is in the environment, where `ps` does not show it."""
    harness = Harness({"base": [1, 0, 1, 1], "zizou@7": [0, 0, 1, 1]})
    runs = run_harness(StubServer().client(), ["base", "zizou"], SETTINGS, progress=quiet, execute=harness)
    assert [run.model for run in runs] == ["base", "zizou@7"]
    (first, environment), (second, _) = harness.calls
    output = first.index("--output_path") + 1
    assert first[output] != second[output]
    same = [(one, other) for place, (one, other) in enumerate(zip(first, second, strict=True)) if place != output]
    assert [pair for pair in same if pair[0] != pair[1]] == [("model='base'", "model='zizou@7'")]
    assert environment["OPENAI_API_KEY"] == KEY
    assert "PATH" in environment
    assert not [part for part in first if KEY in part]
    assert [score.value for run in runs for score in run.scores] == [0.75, 0.5]
    assert not Path(first[output]).parent.exists()


def test_the_command_is_the_unmodified_harness_s_own(tmp_path: Path) -> None:
    """Token ids to our completions, names and paths quoted; nothing that would run code from elsewhere."""
    settings = HarnessSettings(("a", "b"), "/models/it's, here", include_path=tmp_path, limit=10, few_shot=2)
    command = harness_command(URL, "zizou@7", settings, tmp_path / "results.json")
    assert command[1:6] == ["-m", "lm_eval", "run", "--model", "local-completions"]
    assert f"base_url='{URL}/v1/completions'" in command
    assert 'tokenizer="/models/it\'s, here"' in command
    assert "tokenized_requests=True" in command
    assert command[command.index("--tasks") + 1 :][:2] == ["a", "b"]
    rest = " ".join(command)
    assert f"--include_path {tmp_path} --limit 10 --num_fewshot 2" in rest
    assert "trust_remote_code" not in rest
    assert "unsafe" not in rest


def test_a_card_says_both_and_the_paired_difference() -> None:
    """Adapter minus base, example by example."""
    harness = Harness({"base": [1, 0, 1, 1], "zizou@7": [0, 0, 1, 1]})
    base, adapter = run_harness(StubServer().client(), ["base", "zizou"], SETTINGS, progress=quiet, execute=harness)
    card = harness_card(base, adapter)
    (row,) = card.pop("tasks")
    assert card == {"version": "0.4.13", "models": {"base": "base", "adapter": "zizou@7"}, "confidence": 0.95}
    assert (row["name"], row["metric"], row["examples"], row["higher_is_better"]) == ("toy", "acc", 4, True)
    assert row["base"] == {"value": 0.75, "stderr": 0.1}
    assert row["difference"]["value"] == -0.25
    assert row["difference"]["low"] < -0.25 < row["difference"]["high"] < 0.6
    json.dumps(card, allow_nan=False)


def score(value: float, samples: Mapping[str, float], stderr: float | None = 0.1) -> TaskScore:
    return TaskScore("toy", "acc", value, stderr, True, samples)


def test_differences_are_paired_only_where_the_examples_are_the_same() -> None:
    """A metric that is no mean of its examples, or of other ones, has the interval of both standard errors."""
    sure = {str(n): float(n % 2) for n in range(40)}
    assert difference(score(0.5, sure), score(0.5, sure)).value == 0
    assert difference(score(0.5, sure), score(0.5, sure)).high < 0.2  # unpaired: 0.28
    for other in (score(0.6, {"x": 0.6}), score(0.6, {**sure, "0": 1.0})):
        found = difference(score(0.5, sure), other)
        assert found.value == pytest.approx(0.1)
        assert found.high - found.low == pytest.approx(2 * 1.96 * 0.2**0.5 * 0.1**0.5, rel=0.01)
    unknown = difference(score(0.5, {}, None), score(0.6, {}, None))
    assert [unknown.low, unknown.high] == pytest.approx([0.1, 0.1])
    assert unknown.n == 0


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("INFO x\nValueError: Tasks not found: nosuch, neither\n", r"knows no task nosuch, neither.*--include-path"),
        (
            'API request failed with error message: {"error":{"message":"The model holds 64 tokens; shorten.","type":"x"}}. Retrying...\n'
            "requests.exceptions.HTTPError: 400 Client Error",
            r"the server said: The model holds 64 tokens; shorten\.",
        ),
        ("Traceback\n  File x\nOSError: no tokenizer here.\n\n", r"OSError: no tokenizer here\)"),
        ("", "nothing was said"),
    ],
    ids=["unknown task", "the server refused", "another error", "silence"],
)
def test_why_it_ended_early_is_one_sentence(output: str, sentence: str) -> None:
    """Its own last words, or better ones where they are known."""
    harness = Harness({}, code=1, output=output)
    with pytest.raises(HarnessFailed, match=sentence) as caught:
        run_harness(StubServer().client(), ["base"], SETTINGS, progress=quiet, execute=harness)
    assert str(caught.value) == reason(output, "base")
    assert "\n" not in str(caught.value)


def test_one_that_takes_too_long_is_ended() -> None:
    """A real process, and the sentence says how long it had."""
    with pytest.raises(TimeoutError):
        execute(["sleep", "60"], {"PATH": "/usr/bin:/bin"}, 0.05)

    def slow(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> Finished:
        raise TimeoutError

    with pytest.raises(HarnessFailed, match=r"did not end within 14400 s.*--limit"):
        run_harness(StubServer().client(), ["base"], SETTINGS, progress=quiet, execute=slow)


def test_both_streams_of_a_process_are_kept() -> None:
    """With its exit code, whatever bytes it writes."""
    done = execute(["sh", "-c", r"echo $KEY; printf '\377' >&2; exit 3"], {"KEY": "k", "PATH": "/usr/bin:/bin"}, 10)
    assert done == Finished(3, "k\n\ufffd")


@pytest.mark.parametrize(
    ("settings", "installed", "sentence"),
    [
        (SETTINGS, False, "not installed.*extra `harness`"),
        (HarnessSettings((), "base"), True, "no task"),
        (HarnessSettings(("--trust_remote_code",), "base"), True, "no name of a task"),
        (HarnessSettings(("a b",), "base"), True, "no name of a task"),
        (HarnessSettings(("a",), "base", include_path=Path("/nowhere")), True, "no folder with task files"),
    ],
)
def test_what_can_be_said_before_is_said_before(settings: HarnessSettings, installed: bool, sentence: str) -> None:
    """And nothing runs; an option cannot be smuggled in as a task."""
    with pytest.raises(HarnessFailed, match=sentence):
        check(settings, installed=installed)


def damage(content: Any) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


@pytest.mark.parametrize(
    "content",
    [None, b"", b"[]", {}, {"results": {}}, {"results": {"toy": []}, "higher_is_better": {}, "lm_eval_version": "9"}],
    ids=["nothing", "empty", "a list", "an object", "half", "other"],
)
def test_results_that_cannot_be_read_are_said_so(tmp_path: Path, content: Any) -> None:
    """Of another version, or none."""
    if content is not None:
        (tmp_path / "results_x.json").write_bytes(damage(content))
    with pytest.raises(HarnessFailed, match="no results that can be read"):
        read_run(tmp_path, "base")


def test_a_metric_of_another_filter_keeps_its_name_and_its_samples(tmp_path: Path) -> None:
    """`exact_match` strict and flexible are two metrics; what is no number is left out."""
    content = {
        "results": {"toy": {"alias": "toy", "exact_match,strict": 0.5, "exact_match_stderr,strict": "N/A", "bleu,none": "N/A"}},
        "higher_is_better": {},
        "lm_eval_version": "0.4.13",
    }
    (tmp_path / "results_x.json").write_text(json.dumps(content))
    sample = {"doc_id": 3, "filter": "strict", "metrics": ["exact_match"], "exact_match": 1}
    (tmp_path / "samples_toy_2026-01-02T03-04-05.6.jsonl").write_text(json.dumps(sample) + "\n")
    (found,) = read_run(tmp_path, "base").scores
    assert found == TaskScore("toy", "exact_match (strict)", 0.5, None, None, {"3": 1.0})
