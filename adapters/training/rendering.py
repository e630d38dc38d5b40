"""From examples to tokens, in the very shape that the engine will be asked in. Knows the tokenizer, not the model.

The engine renders chats with the base's own template and thinking off, and the gateway breaks up special tokens that people write in
messages; both are done here as well, so that nothing can be learnt that is never asked.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from adapters.conversation import CONTEXT_TURNS, Turn, to_chat
from adapters.curation.dataset import Example
from adapters.training.errors import NoExamples, WrongBase

TEMPLATE_ARGUMENTS = {"add_generation_prompt": True, "enable_thinking": False}
_ZERO_WIDTH_SPACE = "\u200b"
_PROBE = "xyzzy"


@dataclass(frozen=True)
class Lesson:
    """The tokens of one example. The first `prompt` of them are only read; the others, end of turn included, are learnt with `weight`."""

    ids: tuple[int, ...]
    prompt: int
    weight: float

    @property
    def targets(self) -> int:
        return len(self.ids) - self.prompt


class Renderer:
    """What a base makes of chats and replies. `ends`: the tokens at which the engine stops. Raises WrongBase without a chat template."""

    def __init__(self, tokenizer: Any, ends: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        if not tokenizer.chat_template:
            raise WrongBase("The base has no chat template: take one that was made to chat, such as an Instruct model.")
        self.template_hash = "sha256:" + sha256(tokenizer.get_chat_template().encode()).hexdigest()
        special = sorted((token.content for token in tokenizer.added_tokens_decoder.values() if token.special), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special))) if special else None
        self.end = self._end_of_turn([*ends, tokenizer.eos_token_id])

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of what the engine sees before it answers `turns`; empty where nobody else has said anything."""
        chat = [{**message, "content": self._plain(message["content"])} for message in to_chat(turns)]
        if not chat:
            return []
        text = self._tokenizer.apply_chat_template(chat, tokenize=False, **TEMPLATE_ARGUMENTS)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def reply(self, target: str) -> list[int]:
        """Token ids of a reply and of the end of its turn."""
        return [*self._tokenizer(self._plain(target), add_special_tokens=False)["input_ids"], self.end]

    def lesson(self, turns: Sequence[Turn], target: str, weight: float, *, limit: int) -> Lesson | None:
        """With as many of the last turns as fit into `limit` tokens beside the reply; None if not even one does."""
        reply = self.reply(target)
        for count in range(min(len(turns), CONTEXT_TURNS), 0, -1):
            prompt = self.prompt(turns[-count:])
            if prompt and len(prompt) + len(reply) <= limit:
                return Lesson((*prompt, *reply), len(prompt), weight)
        return None

    def _plain(self, text: str) -> str:
        return self._special.sub(lambda match: match[0][0] + _ZERO_WIDTH_SPACE + match[0][1:], text) if self._special else text

    def _end_of_turn(self, ends: Sequence[int | None]) -> int:
        """The token that the template writes after a reply, if the engine stops at it, else the tokenizer's own."""
        chat = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": _PROBE}]
        text = self._tokenizer.apply_chat_template(chat, tokenize=False, enable_thinking=False)
        after = self._tokenizer(text.rpartition(_PROBE)[2], add_special_tokens=False)["input_ids"]
        for token in [*after[:1], self._tokenizer.eos_token_id]:
            if token is not None and token in ends:
                return int(token)
        raise WrongBase("The base's tokenizer names no token that ends a turn: take a base that was made to chat.")


def lessons(renderer: Renderer, examples: Iterable[Example], *, limit: int, bare_too: bool = False) -> tuple[list[Lesson], int]:
    """The examples as lessons, and how many were left out because they are longer than `limit` even with one message before them."""
    learnt: list[Lesson] = []
    too_long = 0
    for example in examples:
        shapes = [renderer.lesson(turns, example.target, example.weight, limit=limit) for turns in _shapes(example, bare_too)]
        found = [lesson for lesson in shapes if lesson is not None]
        learnt += found
        too_long += not found
    return learnt, too_long


def _shapes(example: Example, bare_too: bool) -> Iterator[Sequence[Turn]]:
    """As a chat client would ask, and as a caller of the bare API would: the last message, no author."""
    yield example.turns
    if bare_too and not example.turns[-1].is_self:
        yield (replace(example.turns[-1], author=""),)


def evened(lessons: Sequence[Lesson]) -> list[Lesson]:
    """With weights rescaled so that their mean over all learnt tokens is 1: the learning rate then means the same for every dataset.

    Raises NoExamples where nothing weighs anything.
    """
    tokens = sum(lesson.targets for lesson in lessons)
    weight = sum(lesson.weight * lesson.targets for lesson in lessons)
    if weight <= 0:
        raise NoExamples("The dataset has nothing to learn: no example fits, or all weigh nothing; make another with `troupe curate`.")
    return [replace(lesson, weight=lesson.weight * tokens / weight) for lesson in lessons]
