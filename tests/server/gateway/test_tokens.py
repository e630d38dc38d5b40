"""How long a prompt is: what transformers says of the same base, to the token."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from adapters.registry import Base, BaseError
from server.gateway.errors import InvalidRequest
from server.gateway.messages import Message
from server.gateway.tokens import PIECE, PromptMeter
from tests.server.gateway.stage import SPECIAL, read_tiny_base

TEXT = st.text(st.characters(codec="utf-8"), max_size=80)


@pytest.fixture(scope="module")
def meter(base: Base) -> PromptMeter:
    return PromptMeter(base.path)


@pytest.mark.parametrize("texts", [["hi"], ["be brief", "who wins tonight?", "läuft 🙃"], ["", " \n", "x" * 500], ["<think>", "</think>"]])
def test_a_chat_counts_as_transformers_counts_it(base: Base, meter: PromptMeter, texts: list[str]) -> None:
    """With the generation prompt, and with thinking off as engines are told."""
    reference = AutoTokenizer.from_pretrained(base.path)
    turns = [{"role": "user" if index % 2 == 0 else "assistant", "content": text} for index, text in enumerate(texts)]
    ids = reference.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, enable_thinking=False, return_dict=False)
    assert meter.count(tuple(Message(turn["role"], turn["content"]) for turn in turns), 10_000) == len(ids)


@given(text=TEXT)
def test_a_text_counts_as_transformers_counts_it(base_and_reference: tuple[PromptMeter, object], text: str) -> None:
    """Special tokens of a raw prompt are what they are."""
    meter, reference = base_and_reference
    assert meter.count(text, 10_000) == len(reference(text)["input_ids"])  # type: ignore[operator]


@pytest.fixture(scope="module")
def base_and_reference(base: Base) -> tuple[PromptMeter, object]:
    return PromptMeter(base.path), AutoTokenizer.from_pretrained(base.path)


@given(parts=st.lists(st.one_of(TEXT, st.sampled_from(SPECIAL), st.sampled_from(["<|", "|>", "im_start"])), max_size=6))
def test_no_message_can_hold_a_special_token(base_and_reference: tuple[PromptMeter, object], parts: list[str]) -> None:
    """So no caller can end a turn, or pose as the system; texts without any are left alone."""
    meter, reference = base_and_reference
    text = "".join(parts)
    prompt = meter.plain((Message("user", text),))
    message = prompt[0]
    assert isinstance(message, Message)
    ids = reference(message.content)["input_ids"]  # type: ignore[operator]
    assert not set(ids) & set(reference.convert_tokens_to_ids(list(SPECIAL)))  # type: ignore[attr-defined]
    if not any(token in text for token in SPECIAL):
        assert message.content == text


def test_long_texts_are_counted_exactly_up_to_the_limit_and_no_further(meter: PromptMeter) -> None:
    """Beyond it any number above it will do."""
    text = "who wins tonight? " * 3000
    exact = meter.count(text, 10**9)
    assert meter.count(text, exact) == exact
    assert meter.count(text, 100) > 100
    assert not meter.is_quick(text)
    assert meter.is_quick("x" * PIECE)
    assert meter.count((1, 2, 3), 10) == 3


def test_what_the_template_refuses_is_the_caller_s_to_mend(meter: PromptMeter) -> None:
    """An order of roles that it does not know."""
    with pytest.raises(InvalidRequest, match="order of roles"):
        meter.count((Message("user", "a"), Message("system", "b")), 100)


@pytest.mark.parametrize("damage", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
@pytest.mark.parametrize("content", ["{", "{% for %}"])
def test_a_base_without_a_usable_tokenizer_is_one_sentence(tmp_path: Path, damage: str, content: str) -> None:
    """At the start, not at the first request."""
    base = read_tiny_base(tmp_path / "b")
    (base.path / damage).write_text("{% for %}" if damage.endswith("jinja") else content)
    with pytest.raises(BaseError, match="download or build it again"):
        PromptMeter(base.path)
