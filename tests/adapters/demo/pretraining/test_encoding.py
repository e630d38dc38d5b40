from random import Random

from adapters.demo.pretraining.encoding import Encoded, batches, encode
from adapters.demo.pretraining.tokenizer import train_tokenizer

TOKENIZER = train_tokenizer(["hello there", "ann: hello"], 300, 128)


def test_only_the_target_is_learned() -> None:
    """The prompt weighs nothing; the target and its end of turn weigh what the example does."""
    encoded = encode(TOKENIZER, [{"role": "user", "content": "hello"}], "there", weight=0.25)
    learned = [token for token, weight in zip(encoded.ids, encoded.weights, strict=True) if weight == 0.25]
    assert TOKENIZER.decode(learned) == "there<|im_end|>"
    assert set(encoded.weights) == {0.0, 0.25}


def test_a_long_prompt_loses_its_start() -> None:
    """The limit never cuts the target."""
    encoded = encode(TOKENIZER, [{"role": "user", "content": "hello " * 99}], "there", weight=1.0, limit=16)
    assert len(encoded.ids) == len(encoded.weights) == 16
    assert TOKENIZER.decode(encoded.ids).endswith("there<|im_end|>")


def test_batches_keep_every_token_once_and_padding_weighs_nothing() -> None:
    """No example is lost, no batch is over its size, and what fills it up is masked."""
    encoded = [Encoded([n] * (1 + n % 7), [1.0] * (1 + n % 7)) for n in range(1, 40)]
    plan = list(batches(encoded, tokens=20, pad=0, rng=Random(1)))
    assert sum(int(batch.mask.sum()) for batch in plan) == sum(len(each.ids) for each in encoded)
    assert all(batch.ids.numel() <= 20 for batch in plan)
    assert all(bool(((batch.mask == 1) == (batch.weights > 0)).all()) for batch in plan)
