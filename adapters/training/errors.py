"""What can go wrong between a dataset and an adapter.

TrainingError
├── BadRecipe      a recipe that makes no sense
├── WrongBase      no causal language model that chats, not the one that was trained before, or not to be had
├── NoExamples     nothing in the dataset can be learnt
├── DoesNotFit     the estimate, made before anything is loaded, is more than this machine has free
├── OutOfMemory    the estimate was wrong
├── DiskFull       a file could not be written whole
├── NotWritable    the folder cannot be used
├── Occupied       another training writes to this folder, or has written something else there
└── Diverged       the loss is no number any more

Each message is one sentence for people: what happened, what to do. Errors of torch and of the system are translated here, once, without
importing torch.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from adapters.workspace.errors import Busy, WorkspaceError
from adapters.workspace.errors import DiskFull as NoRoom


class TrainingError(Exception):
    """One sentence: what happened, and what to do."""


class BadRecipe(TrainingError):
    pass


class WrongBase(TrainingError):
    pass


class NoExamples(TrainingError):
    pass


class DoesNotFit(TrainingError):
    pass


class OutOfMemory(TrainingError):
    pass


class DiskFull(TrainingError):
    pass


class NotWritable(TrainingError):
    pass


class Occupied(TrainingError):
    pass


class Diverged(TrainingError):
    pass


LOWER = "lower `context_tokens` or `rank`, switch `checkpointing` on, or take a smaller base"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_MEMORY = ("out of memory", "can't allocate memory")
"""How torch says it, on CUDA and on a CPU."""


@contextmanager
def translated(out: Path) -> Iterator[None]:
    """Out of memory and out of disk, in whatever words torch and safetensors say it, as one sentence."""
    try:
        yield
    except NoRoom as exc:
        raise _disk_full(out) from exc
    except Busy as exc:
        raise Occupied(str(exc)) from exc
    except WorkspaceError as exc:
        raise NotWritable(str(exc)) from exc
    except MemoryError as exc:
        raise _out_of_memory() from exc
    except OSError as exc:
        if exc.errno not in _FULL:
            raise
        raise _disk_full(out) from exc
    except (SafetensorError, RuntimeError) as exc:
        if any(words in str(exc) for words in _NO_MEMORY):
            raise _out_of_memory() from exc
        if "No space left" in str(exc):
            raise _disk_full(out) from exc
        raise


def _out_of_memory() -> OutOfMemory:
    return OutOfMemory(f"The memory ran out while training: {LOWER}.")


def _disk_full(out: Path) -> DiskFull:
    return DiskFull(f"There is no room left at {out}: make some and call again, training goes on from its last checkpoint.")
