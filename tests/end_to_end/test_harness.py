"""lm-evaluation-harness, unmodified, on a running stack: what it gets over the wire is what the base computes in this process."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.evaluation.compare import compare
from adapters.evaluation.contestant import find_contestant
from adapters.evaluation.harness import Finished, HarnessRun, HarnessSettings, TaskScore, difference, execute, harness_card, run_harness
from adapters.evaluation.models import LoadedModel, load_model
from adapters.evaluation.served import served_distance
from adapters.evaluation.server import RunningServer
from adapters.evaluation.tax import read_tasks
from adapters.sources.source import open_source
from tests.end_to_end.stack import Stack

pytestmark = pytest.mark.engine
COMMUNITY = "zizou"
EXAMPLES, WORDS = 12, 6
CHOICE, LIKELIHOOD, WRITING = "replies_to_choose", "replies_to_expect", "replies_to_write"
CLOSE = 0.5
"""Nats: where two choices are nearer than this, the engine's arithmetic may turn them around."""
TASK = """
task: {task}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {kind}
doc_to_text: "{{{{prompt}}}}"
target_delimiter: ""
{more}
metric_list: [{metrics}]
metadata: {{version: 1.0}}
"""


@dataclass(frozen=True)
class Question:
    prompt: str
    """Rendered, up to where the reply begins."""
    choices: tuple[str, ...]
    """The reply that was given, and others."""
    written: str
    """What the base writes here, the likeliest token at a time."""


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[RunningServer]:
    """With the key that `troupe up` made and keeps."""
    key = (stack.home / "keys" / "evaluate").read_text().strip()
    with closing(RunningServer(stack.url, key)) as opened:
        yield opened


@pytest.fixture(scope="module")
def here(stack: Stack) -> LoadedModel:
    """The base in this process, on the same 4-bit weights."""
    return load_model(stack.base)


@pytest.fixture(scope="module")
def questions(stack: Stack, here: LoadedModel) -> list[Question]:
    pairs = loved_answers(stack.demo / "exports" / COMMUNITY)
    prompts = [
        here.tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True)
        for question, _ in pairs
    ]
    replies = [reply for _, reply in pairs]
    return [
        Question(prompt, (replies[n], replies[n - 1], replies[n - 2]), greedy(here, prompt)) for n, prompt in enumerate(prompts)
    ]  # fmt: skip


def loved_answers(export: Path) -> list[tuple[str, str]]:
    """The last answers, each once, that several people reacted to: (what was answered, the answer)."""
    with open_source(export).read() as messages:
        answers = [
            (messages.find(each.reply_to), each) for each in messages if each.reply_to and sum(at.count for at in each.reactions) > 3
        ]
    pairs = {answer.text: (asked.text, answer.text) for asked, answer in answers if asked}
    return list(pairs.values())[-EXAMPLES:]


@pytest.fixture(scope="module")
def runs(
    stack: Stack, server: RunningServer, questions: Sequence[Question], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, HarnessRun]:
    """Base and adapter through three tasks, in one call, from files of this folder alone."""
    folder = tmp_path_factory.mktemp("tasks")
    write_tasks(folder, questions)

    def offline(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> Finished:
        here_only = {"HF_HOME": str(folder / "hub"), "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return execute(command, {**environment, **here_only}, seconds)

    settings = HarnessSettings((CHOICE, LIKELIHOOD, WRITING), str(stack.base), include_path=folder, seconds=300)
    found = run_harness(server, ["base", COMMUNITY], settings, progress=lambda stage, done, total: None, execute=offline)
    return dict(zip(("base", "adapter"), found, strict=True))


def greedy(model: LoadedModel, prompt: str) -> str:
    before = model.tokenizer.encode(prompt)
    written: list[int] = []
    while len(written) < WORDS and not model.ends & set(written):
        written.append(int(model.log_probabilities([*before, *written], [0])[0].argmax()))
    return model.text(written)


def write_tasks(folder: Path, questions: Sequence[Question]) -> None:
    rows = [{"prompt": each.prompt, "choices": each.choices, "reply": each.choices[0], "written": each.written} for each in questions]
    data = folder / "questions.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    choice = 'doc_to_choice: "{{choices}}"\ndoc_to_target: 0'
    write = f'doc_to_target: "{{{{written}}}}"\ngeneration_kwargs: {{until: ["<never>"], max_gen_toks: {WORDS}}}'
    tasks = (
        (CHOICE, "multiple_choice", choice, "{metric: acc}"),
        (LIKELIHOOD, "loglikelihood", 'doc_to_target: "{{reply}}"', "{metric: perplexity}, {metric: acc}"),
        (WRITING, "generate_until", write, "{metric: exact_match}"),
    )
    for task, kind, more, metrics in tasks:
        (folder / f"{task}.yaml").write_text(TASK.format(task=task, data=data, kind=kind, more=more, metrics=metrics))


def score_of(run: HarnessRun, task: str, metric: str) -> TaskScore:
    return next(score for score in run.scores if (score.task, score.metric) == (task, metric))


def likelihood_here(model: LoadedModel, prompt: str, reply: str) -> float:
    before, whole = model.tokenizer.encode(prompt), model.tokenizer.encode(prompt + reply)
    assert whole[: len(before)] == before
    return model.log_likelihood(before, whole[len(before) :])


def test_the_harness_gets_the_base_s_own_log_likelihoods(
    runs: dict[str, HarnessRun], here: LoadedModel, questions: Sequence[Question], record_property: Callable[[str, object], None]
) -> None:
    """Their mean, over the wire and through the engine, is the one of this process to one part in a hundred."""
    served = math.log(score_of(runs["base"], LIKELIHOOD, "perplexity").value)
    expected = -sum(likelihood_here(here, each.prompt, each.choices[0]) for each in questions) / len(questions)
    record_property("nats per reply, served and in this process", (round(served, 3), round(expected, 3)))
    assert served == pytest.approx(expected, rel=0.01)


def test_the_harness_chooses_what_the_base_chooses(runs: dict[str, HarnessRun], here: LoadedModel, questions: Sequence[Question]) -> None:
    """Reply by reply, but where two are as good as equally likely."""
    chosen = score_of(runs["base"], CHOICE, "acc").samples
    assert len(chosen) == len(questions)
    clear = 0
    for n, question in enumerate(questions):
        first, *others = (likelihood_here(here, question.prompt, choice) for choice in question.choices)
        if abs(first - max(others)) > CLOSE:
            clear += 1
            assert chosen[str(n)] == float(first > max(others)), question
    assert clear >= EXAMPLES // 2


def test_the_harness_gets_what_the_base_writes(runs: dict[str, HarnessRun]) -> None:
    """Word for word, with room for a tie or two; the adapter writes other things."""
    base, adapter = (score_of(run, WRITING, "exact_match") for run in (runs["base"], runs["adapter"]))
    assert base.value >= 0.75
    assert adapter.value < base.value


def test_base_and_adapter_are_measured_side_by_side(runs: dict[str, HarnessRun]) -> None:
    """The version that answered is named; the adapter expects its community's replies, and the paired difference says so."""
    assert (runs["base"].model, runs["adapter"].model) == ("base", f"{COMMUNITY}@1")
    before, after = (score_of(run, LIKELIHOOD, "perplexity") for run in (runs["base"], runs["adapter"]))
    assert after.value < before.value
    card = harness_card(runs["base"], runs["adapter"])
    assert {row["name"] for row in card["tasks"]} == {CHOICE, LIKELIHOOD, WRITING}
    assert difference(before, after).value == pytest.approx(after.value - before.value)


def test_echo_gives_the_adapter_s_own_numbers_under_the_caller_s_name(stack: Stack, server: RunningServer, here: LoadedModel) -> None:
    """One for each token but the first, other ones for each model, for the base those of this process; no name of the engine's."""
    prompt = here.tokenizer.encode("who wins tonight?")
    told = {}
    for model in ("base", COMMUNITY, "greybeards"):
        body = {"model": model, "prompt": [prompt], "max_tokens": 1, "logprobs": 2, "echo": True, "temperature": 0, "seed": 1}
        response = httpx.post(f"{stack.v1}/completions", json=body, headers={"Authorization": f"Bearer {server.key}"}, timeout=60)
        answer = response.json()
        (choice,) = answer["choices"]
        assert answer["model"] == model
        assert not re.search(r"-[0-9a-f]{16}\b", response.text.replace(answer["id"], ""))
        assert choice["text"].startswith("who wins tonight?")
        assert choice["logprobs"]["token_logprobs"][0] is None
        assert len(choice["logprobs"]["token_logprobs"]) == len(prompt) + 1
        told[model] = tuple(choice["logprobs"]["token_logprobs"][1:-1])
    assert len(set(told.values())) == 3
    expected = here.log_probabilities(prompt[:1], prompt[1:])
    own = [float(row[token]) for row, token in zip(expected, prompt[1:], strict=True)]
    assert told["base"] == pytest.approx(own, abs=0.1)


def test_a_chat_key_does_not_evaluate(stack: Stack) -> None:
    """On the real stack too, whose chat key is handed around."""
    body = {"model": "base", "prompt": "hello", "max_tokens": 1, "echo": True, "logprobs": 1}
    refusal = httpx.post(f"{stack.v1}/completions", json=body, headers=stack.headers)
    assert (refusal.status_code, refusal.json()["error"]["param"]) == (403, "echo")


def test_served_distance_is_a_lower_bound_of_the_exact_one(
    stack: Stack, server: RunningServer, here: LoadedModel, questions: Sequence[Question]
) -> None:
    """KL through the 20 likeliest tokens, over HTTP: above zero, not above the whole one; and the served base is this base."""
    with_adapter = load_model(stack.base, stack.demo / "adapters" / COMMUNITY)
    texts = [here.tokenizer.encode(each.prompt + each.choices[0]) for each in questions]

    def reference(text: Sequence[int]) -> list[dict[int, float]]:
        return [dict(enumerate(row)) for row in here.log_probabilities(text[:1], text[1:]).tolist()]

    exact = count = 0.0
    for text in texts:
        base, adapter = (model.log_probabilities(text[:1], text[1:]) for model in (here, with_adapter))
        exact += float((base.exp() * (base - adapter)).sum())
        count += len(text) - 1
    found: dict[str, Any] = served_distance(
        server, texts, adapter=COMMUNITY, reference=reference, progress=lambda stage, done, total: None
    )  # fmt: skip
    assert found["tokens"] == count
    assert 0.1 * exact / count < found["kl_mean"]["value"] < 1.05 * exact / count
    assert found["base_shift"]["kl_mean"]["value"] < 0.01
    assert found["base_shift"]["same_top"]["value"] > 0.9


def test_a_served_model_and_the_same_one_in_process_compare_as_equals(stack: Stack, server: RunningServer) -> None:
    """On the repository's tasks, item by item: neither is better by more than a few near ties, and no claim of an order is shown."""
    adapter = stack.demo / "adapters" / COMMUNITY
    given = ("served=base", f"loaded={stack.base}", f"voice={COMMUNITY}", f"{COMMUNITY}={adapter}")
    contestants = [find_contestant(each, base=str(stack.base), server=lambda: server) for each in given]
    assert [each.kind for each in contestants] == ["served", "base", "served", "adapter"]
    found = compare(contestants, read_tasks(4), claim="served < loaded", progress=lambda stage, done, total: None)
    everything = found["tasks"][-1]
    served, loaded, voice, adapted = (score["value"] for score in everything["scores"])
    assert everything["examples"] == 20
    assert abs(served - loaded) <= 2 / 20
    assert abs(voice - adapted) <= 2 / 20
    assert found["claim_checked"]["verdict"] == "not shown"
