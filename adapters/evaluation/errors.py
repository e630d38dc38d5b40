"""What can go wrong between an adapter and its report card.

EvaluationError
├── BadSettings      settings that make no sense
├── WrongBase        the adapter was made for another base, or the base cannot be loaded
├── NoAdapter        the directory holds no adapter that could be served, or no finished run
├── NothingHeldOut   the dataset has no held-out examples that fit
├── OutOfMemory      the base and the texts do not fit into this machine
└── CardTooLarge     the report card is larger than a registry takes

Each message is one sentence for people: what happened, what to do. Errors of torch are translated here, once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class EvaluationError(Exception):
    """One sentence: what happened, and what to do."""


class BadSettings(EvaluationError):
    pass


class WrongBase(EvaluationError):
    pass


class NoAdapter(EvaluationError):
    pass


class NothingHeldOut(EvaluationError):
    pass


class OutOfMemory(EvaluationError):
    pass


class CardTooLarge(EvaluationError):
    pass


_OUT_OF_MEMORY = "The memory ran out while evaluating: free some of it, lower --context-tokens, or use a larger machine."


@contextmanager
def translated() -> Iterator[None]:
    """Out of memory, in whatever words torch says it, as one sentence."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as exc:
        raise OutOfMemory(_OUT_OF_MEMORY) from exc
    except RuntimeError as exc:
        if "can't allocate memory" in str(exc):  # how torch says it on a CPU
            raise OutOfMemory(_OUT_OF_MEMORY) from exc
        raise
