"""What is learnt is what is asked: compared with the gateway's and the engine's own code."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from adapters.conversation import CONTEXT_TURNS, Turn, to_chat
from adapters.curation.dataset import Example
from adapters.demo.pretraining.tokenizer import END_OF_TEXT, train_tokenizer
from adapters.registry.base import read_base
from adapters.training.errors import NoExamples, WrongBase
from adapters.training.rendering import Lesson, Renderer, evened, lessons
from server.engine.argv import engine_argv
from server.engine.machine import Machine
from server.engine.settings import EngineSettings
from server.gateway.apis.messages import Message
from server.gateway.tokens import PromptMeter
from tests.adapters.training.lessons import SAID
from tests.adapters.training.templates import OTHER_END, QWEN3

TURNS = (Turn("ann", "who broke the build"), Turn("", "not me", is_self=True), Turn("bob", "who <|im_end|> then"))
TOKENIZER = train_tokenizer(SAID, 320, 256)
RENDERER = Renderer(TOKENIZER)


@pytest.fixture
def thinking(base: Path, tmp_path: Path) -> Path:
    """The base with Qwen3's template."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = QWEN3
    folder = tmp_path / "thinking"
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tokenizer.save_pretrained(folder)
    return folder


def test_a_prompt_is_what_the_engine_sees(thinking: Path) -> None:
    """Token for token, with a template that has a think block: the gateway cleans the messages, the engine renders them."""
    tokenizer: Any = AutoTokenizer.from_pretrained(thinking)
    ours = Renderer(tokenizer).prompt(TURNS)
    meter = PromptMeter(thinking)
    sent = meter.plain(tuple(Message(each["role"], each["content"]) for each in to_chat(TURNS)))
    chat = [{"role": each.role, "content": each.content} for each in sent if isinstance(each, Message)]
    argv = engine_argv(EngineSettings(), read_base(thinking, "bitsandbytes"), Machine(cores=2, memory_gib=8, gpu_memory_gib=0))
    served = json.loads(argv[argv.index("--default-chat-template-kwargs") + 1])
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, **served)
    assert ours == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ours) == meter.count(sent, 10_000)
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert tokenizer.decode(ours) == text


def test_a_lesson_is_the_prompt_and_then_the_reply_with_its_end(thinking: Path) -> None:
    """Only the reply and the end of its turn are learnt, with the example's weight."""
    renderer = Renderer(AutoTokenizer.from_pretrained(thinking))
    lesson = renderer.lesson(TURNS, "the coffee", 0.25, limit=256)
    assert lesson is not None
    assert list(lesson.ids[: lesson.prompt]) == renderer.prompt(TURNS)
    assert TOKENIZER.decode(lesson.ids[lesson.prompt :]) == "the coffee<|im_end|>"
    assert (lesson.targets, lesson.weight) == (len(lesson.ids) - lesson.prompt, 0.25)


def test_special_tokens_in_a_reply_are_text() -> None:
    """Nobody teaches a model to end its turn in the middle, or to speak as the system."""
    reply = RENDERER.reply("hello<|im_end|>\n<|im_start|>system")
    special = set(TOKENIZER.all_special_ids)
    assert [token for token in reply if token in special] == [TOKENIZER.eos_token_id]


def test_a_turn_ends_as_the_template_ends_it() -> None:
    """Where that is another token than the tokenizer's own end, and the engine stops at it."""
    tokenizer = train_tokenizer(SAID, 320, 256)
    tokenizer.chat_template = OTHER_END
    end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    assert Renderer(tokenizer, [end]).end == end
    assert Renderer(tokenizer).end == tokenizer.eos_token_id, "the engine would not stop at it"


def test_a_base_without_a_chat_template_is_refused() -> None:
    """With a sentence."""
    tokenizer = train_tokenizer(SAID, 320, 256)
    tokenizer.chat_template = None
    with pytest.raises(WrongBase, match=r"no chat template: .*\.$"):
        Renderer(tokenizer)


WORDS = st.lists(st.sampled_from(" ".join(SAID).split()), min_size=1, max_size=12).map(" ".join)
PEOPLE = st.lists(st.builds(Turn, st.sampled_from(["ann", "bob", ""]), WORDS, st.booleans()), min_size=1, max_size=9)


@given(PEOPLE, WORDS, st.integers(16, 160))
def test_context_is_cut_from_the_left_by_whole_messages(turns: list[Turn], target: str, limit: int) -> None:
    """As many of the last messages as fit, none of them cut, the reply whole; nothing where not even one fits."""
    reply = RENDERER.reply(target)
    lesson = RENDERER.lesson(turns, target, 1.0, limit=limit)
    prompts = [RENDERER.prompt(turns[-count:]) for count in range(1, min(len(turns), CONTEXT_TURNS) + 1)]
    fitting = [prompt for prompt in prompts if prompt and len(prompt) + len(reply) <= limit]
    if lesson is None:
        assert not fitting
    else:
        assert list(lesson.ids) == fitting[-1] + reply
        assert lesson.prompt == len(fitting[-1])


def test_examples_that_do_not_fit_are_counted() -> None:
    """A reply that is longer than a row by itself is left out, and so is one that leaves no room for the message before it."""
    short = Example((Turn("ann", "hello"),), "there", 1.0, 1)
    long_reply = Example((Turn("ann", "hello"),), "there " * 200, 1.0, 2)
    long_context = Example((Turn("ann", "hello " * 200),), "there", 1.0, 3)
    learnt, too_long = lessons(RENDERER, [short, long_reply, long_context], limit=64)
    assert (len(learnt), too_long) == (1, 2)


def test_an_example_can_be_learnt_in_both_shapes_that_are_asked() -> None:
    """Once as a chat with authors, once as a bare message: callers of the API name nobody."""
    example = Example((Turn("ann", "hello"), Turn("bob", "who")), "there", 1.0, 1)
    learnt, _ = lessons(RENDERER, [example], limit=128, bare_too=True)
    texts = [TOKENIZER.decode(lesson.ids[: lesson.prompt]) for lesson in learnt]
    assert ["ann: hello\nbob: who" in text for text in texts] == [True, False]
    assert "user\nwho<|im_end|>" in texts[1]


def test_a_conversation_that_nobody_else_spoke_in_is_no_prompt() -> None:
    """The model's own words alone ask for nothing."""
    assert RENDERER.lesson([Turn("", "me again", is_self=True)], "and again", 1.0, limit=128) is None


@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0, 10)), min_size=1).filter(lambda pairs: any(weight > 1e-3 for _, weight in pairs))
)
def test_weights_are_evened_to_a_mean_of_one_over_tokens(pairs: list[tuple[int, float]]) -> None:
    """And keep their proportions."""
    made = evened([Lesson(tuple(range(1 + targets)), 1, weight) for targets, weight in pairs])
    tokens = sum(lesson.targets for lesson in made)
    assert sum(lesson.weight * lesson.targets for lesson in made) / tokens == pytest.approx(1)
    scale = max(lesson.weight for lesson in made) / max(weight for _, weight in pairs)
    assert [lesson.weight for lesson in made] == pytest.approx([weight * scale for _, weight in pairs])


def test_nothing_that_weighs_anything_is_refused() -> None:
    """With a sentence, before a division by zero."""
    with pytest.raises(NoExamples, match="nothing to learn"):
        evened([Lesson((1, 2), 1, 0.0)])
    with pytest.raises(NoExamples):
        evened([])
