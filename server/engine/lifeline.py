"""Nothing of an engine outlives whoever started it, however that one ends.

Two ways: a process that is started as a program watches its standard input, whose other end its supervisor holds; a process that is
forked asks the kernel for a death signal. Linux only. Knows nothing of vLLM.
"""

import ctypes
import os
import signal
import threading

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def end_with_standard_input() -> None:
    """Whoever started this holds the other end of standard input: when it is gone, so is the whole process group."""
    threading.Thread(target=_watch_standard_input, name="lifeline", daemon=True).start()


def die_with_parent(parent: int) -> None:
    """To be called first by a process that `parent` has just forked: SIGKILL as soon as `parent` is gone, at once if it is already.

    The kernel means the parent's forking *thread*: only what a main thread forks may be told so.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """What our children leave behind becomes ours to reap, also where the first process of a container reaps nothing."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


class DyingForks:
    """Every process that this one forks from now on dies with the one that forked it, and so do those that they fork.

    Asked of the kernel in each child, before it does anything else. A fork from another thread than the main one is left alone, for it
    would die with that thread; the group that all of them share is what ends it.
    """

    def __init__(self) -> None:
        self._forker = 0
        os.register_at_fork(before=self._before, after_in_child=self._in_child)

    def _before(self) -> None:
        self._forker = os.getpid() if threading.current_thread() is threading.main_thread() else 0

    def _in_child(self) -> None:
        if self._forker:
            die_with_parent(self._forker)


def _watch_standard_input() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
