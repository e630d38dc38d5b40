"""From a community's export to an adapter that people talk to, by one command on the running stack; and one that is broken stays out."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from openai import OpenAI

from adapters.curation.dataset import Dataset, read_dataset
from adapters.curation.privacy.key import KEY_BYTES
from adapters.evaluation.evaluate import evaluate_adapter
from adapters.evaluation.settings import EvaluationSettings
from adapters.evaluation.voices import VoiceClassifier, held_out_messages
from adapters.training.recipe import PRESETS
from adapters.training.train import train
from tests.end_to_end.many_voices import Choir
from tests.end_to_end.stack import ADMIN_KEY, API_KEY, COMMUNITIES, Stack

pytestmark = pytest.mark.engine

COMMUNITY, BROKEN = "league", "scrambled"
QUESTIONS = ("who wins on sunday?", "what should I eat for dinner?", "good morning!", "my computer is slow again", "any plans for friday?")
COUNTS: dict[str, Any] = {
    "held_out_examples": 150, "neutral_prompts": 8, "distance_tokens": 12, "task_items": 10, "contexts": 8, "inviting_prompts": 4,
    "reply_tokens": 16, "alternatives": 127, "samples": 2,
}  # fmt: skip
"""Enough to tell a good adapter from a broken one, and no more: tests have no quarter of an hour."""
FEW = COUNTS | {"held_out_examples": 60, "distance_tokens": 6}
"""Enough to tell that an adapter is broken."""


@pytest.fixture(scope="module")
def stack(choir: Choir) -> Stack:
    """What is published here stays, so it goes to the stack where that is in nobody's way."""
    return choir.stack


def troupe(stack: Stack, *arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = {**stack.environment(), "TROUPE_ADMIN_KEY": ADMIN_KEY}
    return subprocess.run(["troupe", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=500, check=False)


def factory(stack: Stack, demo: Path) -> "subprocess.CompletedProcess[str]":
    """Of the demo's export of zizou, taken for a new community."""
    counts = [word for name, count in COUNTS.items() for word in ("--evaluation", f"{name}={count}")]
    said = (
        "--community",
        COMMUNITY,
        "--provenance",
        "synthetic",
        "--promote",
        "--curation",
        "max_examples=1200",
        "--preset",
        "demo",
        "--json",
        *counts,
    )
    return troupe(stack, "factory", demo / "exports" / "zizou", "--base", demo / "base", *said)


@pytest.fixture(scope="module")
def made(stack: Stack, demo: Path) -> dict[str, Any]:
    """What `troupe factory` says when it is done. People have the same invented names in each run: with others the numbers would move."""
    key = stack.home / "factory" / COMMUNITY / "people" / "key"
    key.parent.mkdir(parents=True, mode=0o700)
    key.write_bytes(bytes(range(KEY_BYTES)))
    result = factory(stack, demo)
    assert result.returncode == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_an_export_becomes_a_voice(stack: Stack, demo: Path, made: dict[str, Any], record_property: Callable[[str, object], None]) -> None:
    """Its report card's held-out ranking is better than the base's, the interval excludes zero; what is served speaks as its community."""
    card = json.loads((Path(made["run"]) / "report" / "card.json").read_text())
    better = card["ranking"]["mrr"]["difference"]
    record_property("mean reciprocal rank, adapter minus base", better)
    assert better["low"] > 0
    assert made["live"]
    assert all(Path(page).read_text().startswith("<!DOCTYPE html>") for page in made["pages"].values())
    classifier = VoiceClassifier.fit({name: held_out_messages(demo / "exports" / name) for name in COMMUNITIES})
    with OpenAI(base_url=stack.v1, api_key=API_KEY, max_retries=0, timeout=120) as client:
        replies = [
            choice.message.content or ""
            for question in QUESTIONS
            for choice in client.chat.completions.create(
                model=COMMUNITY, messages=[{"role": "user", "content": question}], max_tokens=32, temperature=0.7, seed=3, n=4
            ).choices
        ]
    share = [classifier.classify(reply) for reply in replies].count("zizou") / len(replies)
    record_property("replies in the community's voice", share)
    assert share >= 0.8, replies


def test_the_factory_only_does_what_is_not_done(stack: Stack, demo: Path, made: dict[str, Any]) -> None:
    """Called again, with everything there, it says the same."""
    result = factory(stack, demo)
    assert json.loads(result.stdout) == made
    assert result.stderr.count("there already") == 3


def test_a_broken_adapter_is_not_let_in(stack: Stack, demo: Path, made: dict[str, Any], tmp_path: Path) -> None:
    """One that learnt answers to other questions: its card fails, and only who says why can make it live."""
    dataset = scrambled(read_dataset(Path(made["dataset"])))
    run = tmp_path / "run"
    recipe = replace(PRESETS["demo"], bare_too=False, held_out_examples=16)
    record = train(demo / "base", dataset, run, recipe, lambda seen: None).record
    card = evaluate_adapter(
        demo / "base", run / "adapter", dataset, record, EvaluationSettings(context_tokens=512, **FEW), lambda stage, done, total: None
    )
    assert card["passed"] is False, card["gates"]
    (run / "report").mkdir()
    (run / "report" / "card.json").write_text(json.dumps(card))
    published = troupe(stack, "publish", run, "--community", BROKEN, "--promote")
    assert published.returncode == 1
    assert "failed its gates" in published.stderr
    assert troupe(stack, "ask", BROKEN, "hello?").returncode == 5
    assert troupe(stack, "promote", BROKEN, 1, "--override", "to see what it says").returncode == 0
    shown = json.loads(troupe(stack, "show", BROKEN, 1, "--json").stdout)
    assert (shown["override"]["why"], shown["aliases"]) == ("to see what it says", ["live"])


def scrambled(dataset: Dataset) -> Dataset:
    """The last examples to learn from, each with the target of another."""
    examples = dataset.train[-250:]
    targets = [example.target for example in examples]
    Random(1).shuffle(targets)
    mixed = tuple(replace(example, target=target) for example, target in zip(examples, targets, strict=True))
    made = Dataset(mixed, dataset.held_out, dataset.card)
    return replace(made, card={**dataset.card, "content_hash": made.content_hash})
