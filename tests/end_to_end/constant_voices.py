"""Adapters that each say one word whatever they are asked, made in closed form: whose voice an answer is in can be read off.

Nothing is trained. The adapter changes the last layer's `down_proj`; its pairs for all other layers are there and come to nothing.
A row of its A gives about 1 at every position, found by least squares over many positions; the column of B that belongs to it is a large
multiple of the direction that the unembedding takes for the word. What the base had to say drowns in it, at whatever temperature.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from adapters.registry import read_base
from adapters.registry.validation import LINEARS
from tests.end_to_end.small_transformer import Floats, SmallTransformer

LOUDNESS = 1000.0
"""How much longer than the base's residual stream the word's direction is."""

_RANKS = (1, 2, 4, 8)
_RUN = 64
_WHITENING, _RIDGE = 1.0, 1e-3
_SURE = 10.0
"""A word's logit lies at least so far above all others together."""

TEXTS = (
    "who wins tonight?", "hello everyone", "tell me a joke", "the server is down again and nobody knows why", "a", "good morning!",
    "what did you do last weekend? I was at the lake and it rained all day, then the car broke down", "1 2 3 4 5 6 7 8 9", "why?",
    "def main(): return 0", "IT WAS A GOAL!!! never offside", "ok", "is it worth upgrading the kernel before friday?", "...",
)  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """`word` is what its adapter says, again and again, each time behind a space."""

    word: str
    token: int

    def is_heard_in(self, text: str) -> bool:
        """Whether `text` is this word and nothing else; one that ended within a word does not happen, a word is one token."""
        return set(text.split()) == {self.word}


@dataclass(frozen=True)
class Member:
    """A voice, and the directory that its adapter lies in."""

    voice: Voice
    adapter: Path

    @property
    def community(self) -> str:
        return f"choir-{self.voice.word}"


class Voices:
    """What the adapters of one base have in common."""

    def __init__(self, base: Path, count: int) -> None:
        self._base = SmallTransformer(base)
        shapes = read_base(base, "bitsandbytes").shapes
        self._shapes = {name: shape for name, shape in shapes.items() if name.rpartition(".")[2] in LINEARS}
        self.mouth = f"model.layers.{self._base.last_layer}.mlp.down_proj"
        self._tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        self._template = Environment(autoescape=False).from_string((base / "chat_template.jinja").read_text())  # noqa: S701  chats, no HTML
        gained = self._base.embeddings * self._base.final_gain
        spread = gained.T @ gained
        ridge = _WHITENING * np.trace(spread) / len(spread) * np.eye(len(spread), dtype=np.float32)
        self._directions: Floats = np.linalg.solve(spread + ridge, gained.T).T
        self._directions /= np.linalg.norm(self._directions, axis=1, keepdims=True)
        self.size_of_mouth = (self._shapes[self.mouth][1], self._shapes[self.mouth][0])
        """Numbers that it is given, and that it gives."""
        self.voices = self._surest(gained, count)
        self._ear, self._length = self._constant()

    def write(self, voice: Voice, number: int, into: Path) -> Path:
        """The adapter of `voice` as PEFT saves one, in the new directory `into`. Different numbers have different ranks, and their one
        row at different places: A of one with B of another says nothing."""
        rank = _RANKS[number % len(_RANKS)]
        row = number // len(_RANKS) % rank
        pairs = {
            name: (np.ones((rank, width), np.float32), np.zeros((out, rank), np.float32)) for name, (out, width) in self._shapes.items()
        }
        a, b = pairs[self.mouth]
        a[:] = 0
        a[row] = self._ear
        b[:, row] = LOUDNESS * self._length * self._directions[voice.token]
        return write_adapter(into, pairs)

    def write_all(self, count: int, into: Path) -> list[Member]:
        """The adapters of the first `count` voices."""
        return [Member(voice, self.write(voice, number, into / voice.word)) for number, voice in enumerate(self.voices[:count])]

    def _surest(self, gained: Floats, count: int) -> tuple[Voice, ...]:
        """Whole words, no two alike but for their case, that are best heard among all others."""
        found: dict[str, tuple[float, Voice]] = {}
        for piece, token in sorted(self._tokenizer.get_vocab().items()):
            word = piece.removeprefix("Ġ")
            if piece != word and len(word) > 3 and word.isascii() and word.isalpha() and word.islower():
                logits = np.sqrt(len(self._base.final_gain)) * gained @ self._directions[token]
                others = np.logaddexp.reduce(np.delete(logits, token))
                found[word] = (float(logits[token] - others), Voice(word, token))
        best = sorted(found.values(), key=lambda entry: (-entry[0], entry[1].word))[:count]
        assert len(best) == count, f"the vocabulary has {len(best)} words of its own"
        assert best[-1][0] > _SURE, f"{best[-1][1].word} is not heard well: {best[-1][0]:.1f}"
        return tuple(voice for _, voice in best)

    def _constant(self) -> tuple[Floats, float]:
        """A vector whose product with what `down_proj` is given is about 1 everywhere, and how long the residual stream is."""
        inner, lengths = [], []
        for sequence in self._sequences():
            given, stream = self._base.last_mlp(sequence)
            inner.append(given)
            lengths.append(np.linalg.norm(stream, axis=1))
        given = np.concatenate(inner)
        square = given.T @ given
        ridge = _RIDGE * np.trace(square) / len(square) * np.eye(len(square), dtype=np.float32)
        return np.linalg.solve(square + ridge, given.sum(axis=0)), float(np.concatenate(lengths).max())

    def _sequences(self) -> list[list[int]]:
        """Chats and plain texts, and behind each what our adapters make of them: one word without end."""
        asked = [[{"role": "user", "content": text}] for text in TEXTS]
        chats = [self._template.render(messages=messages, add_generation_prompt=True) for messages in asked]
        starts = [self._tokenizer.encode(text, add_special_tokens=False).ids for text in (*TEXTS, *chats)]
        most = max(len(starts), len(self.voices))
        return [[*starts[each % len(starts)], *([self.voices[each % len(self.voices)].token] * _RUN)] for each in range(most)]


def write_adapter(into: Path, pairs: Mapping[str, tuple[Floats, Floats]]) -> Path:
    """An adapter in the new directory `into`: full name of a linear layer → A (rank, in) and B (out, rank)."""
    into.mkdir(parents=True)
    weights: dict[str, Floats] = {}
    for name, (a, b) in pairs.items():
        weights |= {f"base_model.model.{name}.lora_A.weight": a, f"base_model.model.{name}.lora_B.weight": b}
    save_file(weights, into / "adapter_model.safetensors")
    rank, targets = len(next(iter(pairs.values()))[0]), sorted({name.rpartition(".")[2] for name in pairs})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "target_modules": targets}
    (into / "adapter_config.json").write_text(json.dumps(config))
    return into


def speaker(text: str, voices: Sequence[Voice]) -> str | None:
    """The word of the voice that `text` is in; None if it is in none, or in several."""
    heard = [voice.word for voice in voices if voice.is_heard_in(text)]
    return heard[0] if len(heard) == 1 else None
