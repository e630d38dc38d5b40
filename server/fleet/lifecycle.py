"""When an engine is started and when it is ended: decided from what was seen, by no clock of its own.

`step` is the whole of it. It does nothing: it says what the condition is now, what is to be done, and when to look again if nothing
happens before. Knows no tasks, no callers and no processes.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.fleet.engine import Cause, EngineState, Failure

AT_ONCE = 1.0
"""Seconds. Whoever wants an engine to sleep after less than that is told of the end of each request; else a look now and then will do."""


@dataclass(frozen=True)
class Policy:
    """Times in seconds."""

    always: bool = False
    """The engine is wanted whether anybody asks or not."""
    wake_at_start: bool = True
    idle_timeout: float = 300.0
    """From the last request to the drain."""
    max_waiting: int = 256
    backoff: tuple[float, ...] = (1.0, 2.0, 5.0, 15.0, 60.0)
    """Pauses after the first, second … failed wake in a row; the last one repeats."""
    give_up_after: int = 3
    """After so many failed wakes in a row callers are told instead of kept waiting."""
    drain_timeout: float = 30.0
    """What requests in flight are given when the engine is to be replaced."""
    distrust_every: float = 600.0
    """At most once in this time is an engine replaced because of numbers that are none: a broken adapter would do it for ever."""
    doubt_timeout: float = 30.0
    """An engine that broke a request off and then answers no health question for so long is gone."""

    def __post_init__(self) -> None:
        if not self.backoff or min(self.backoff) <= 0:
            raise ValueError("backoff needs at least one pause, each above 0 seconds")
        if self.idle_timeout < 0 or self.max_waiting < 1 or self.give_up_after < 1:
            raise ValueError("idle_timeout must not be negative; max_waiting and give_up_after must be at least 1")


@dataclass(frozen=True)
class Condition:
    """What is known of the engine. Times are the caller's clock's."""

    state: EngineState = EngineState.ASLEEP
    failure: Failure | None = None
    """Why there is no engine, or why it is replaced; None while nothing is wrong."""
    failures: int = 0
    """Wakes in a row that failed."""
    retry_at: float = 0.0
    """While failed: not before."""
    ending: bool = False
    """A stop was ordered and is not done."""
    drain_until: float = 0.0
    """While draining and not yet ending: the end of the patience with requests in flight."""
    distrusted_at: float | None = None


@dataclass(frozen=True)
class Started:
    """The engine answers."""


@dataclass(frozen=True)
class NotStarted:
    """A start failed, and nothing of it is left."""

    failure: Failure


@dataclass(frozen=True)
class Gone:
    """An engine that was ready went away by itself, or hangs."""

    failure: Failure


@dataclass(frozen=True)
class Distrusted:
    """What the engine computes are no numbers."""


@dataclass(frozen=True)
class Stopped:
    """A stop is done."""


Report = Started | NotStarted | Gone | Distrusted | Stopped


@dataclass(frozen=True)
class Seen:
    """What there is to decide from."""

    now: float
    waiting: int = 0
    in_flight: int = 0
    """With this engine, not with one that is gone."""
    last_activity: float | None = None
    stopping: bool = False
    report: Report | None = None


class Action(StrEnum):
    NOTHING = "nothing"
    START = "start"
    STOP = "stop"
    KILL = "kill"
    """Stop by force."""


@dataclass(frozen=True)
class Step:
    condition: Condition
    action: Action = Action.NOTHING
    look: float | None = None
    """Step again at this time if nothing is reported before; None: only then."""


def step(condition: Condition, seen: Seen, policy: Policy) -> Step:
    """One transition at most. After one that changed anything, step again without its report."""
    return _STEPS[condition.state](condition, seen, policy)


def wanted(condition: Condition, seen: Seen, policy: Policy) -> bool:
    """Whether there should be an engine."""
    if seen.stopping:
        return False
    return policy.always or seen.waiting > 0 or _recent(condition, seen, policy)


def given_up(condition: Condition, policy: Policy) -> bool:
    """Whether callers are told of the failure at once, until the next wake is due."""
    if condition.failures and condition.failure is not None and condition.failure.cause is Cause.SETTINGS:
        return True
    return condition.failures >= policy.give_up_after


def hopeless(condition: Condition, policy: Policy, *, now: float, deadline: float | None) -> bool:
    """Whether a caller gains nothing by waiting: no wake is due in its time, or none that is worth waiting for."""
    if condition.state is not EngineState.FAILED or now >= condition.retry_at:
        return False
    return given_up(condition, policy) or (deadline is not None and deadline < condition.retry_at)


def _recent(condition: Condition, seen: Seen, policy: Policy) -> bool:
    if seen.last_activity is None or seen.now >= seen.last_activity + policy.idle_timeout:
        return False
    # Who came before was told that it failed, and may have left: only those who come when the next wake is due are a reason for it.
    return condition.state is not EngineState.FAILED or not given_up(condition, policy) or seen.last_activity >= condition.retry_at


def _asleep(condition: Condition, seen: Seen, policy: Policy) -> Step:
    if wanted(condition, seen, policy):
        return Step(replace(condition, state=EngineState.WAKING), Action.START)
    return Step(condition)


def _waking(condition: Condition, seen: Seen, policy: Policy) -> Step:
    if isinstance(seen.report, Started):
        return Step(replace(condition, state=EngineState.READY, failure=None, failures=0))
    if isinstance(seen.report, NotStarted):
        failure, failures = seen.report.failure, condition.failures + 1
        position = len(policy.backoff) if failure.cause is Cause.SETTINGS else failures
        retry_at = seen.now + policy.backoff[min(position, len(policy.backoff)) - 1]
        return Step(replace(condition, state=EngineState.FAILED, failure=failure, failures=failures, retry_at=retry_at))
    return Step(condition)


def _ready(condition: Condition, seen: Seen, policy: Policy) -> Step:
    if isinstance(seen.report, Gone):
        return _lose(condition, seen, policy, seen.report.failure)
    if isinstance(seen.report, Distrusted) and _may_distrust(condition, seen, policy):
        draining = replace(
            condition,
            state=EngineState.DRAINING,
            failure=Failure(Cause.NOT_FINITE, "What the engine computed were no numbers: it is replaced."),
            drain_until=seen.now + policy.drain_timeout,
            distrusted_at=seen.now,
        )
        return Step(draining)
    if seen.in_flight:
        return Step(condition, look=None if policy.always else seen.now + max(policy.idle_timeout, AT_ONCE))
    if not wanted(condition, seen, policy):
        return Step(replace(condition, state=EngineState.DRAINING, ending=True), Action.STOP)
    if policy.always or seen.last_activity is None:
        return Step(condition)
    look = seen.last_activity + policy.idle_timeout
    return Step(condition, look=look if look > seen.now else None)


def _may_distrust(condition: Condition, seen: Seen, policy: Policy) -> bool:
    return condition.distrusted_at is None or seen.now >= condition.distrusted_at + policy.distrust_every


def _lose(condition: Condition, seen: Seen, policy: Policy, failure: Failure) -> Step:
    """It had been ready: the pauses begin anew. Whatever is left of it is ended before another one is started."""
    retry_at = seen.now + policy.backoff[0]
    lost = replace(condition, state=EngineState.FAILED, failure=failure, failures=0, retry_at=retry_at, ending=True)
    return Step(lost, Action.KILL)


def _draining(condition: Condition, seen: Seen, policy: Policy) -> Step:
    if isinstance(seen.report, Stopped):
        return Step(replace(condition, state=EngineState.ASLEEP, ending=False, failure=None))
    if condition.ending:
        return Step(condition)
    if isinstance(seen.report, Gone):
        return _lose(condition, seen, policy, seen.report.failure)
    if not seen.in_flight or seen.now >= condition.drain_until:
        # By force, for one that only sleeps after a stop would come back with the same numbers.
        return Step(replace(condition, ending=True), Action.KILL)
    return Step(condition, look=condition.drain_until)


def _failed(condition: Condition, seen: Seen, policy: Policy) -> Step:
    if isinstance(seen.report, Stopped):
        condition = replace(condition, ending=False)
    if condition.ending or not wanted(condition, seen, policy):
        return Step(condition)
    if seen.now >= condition.retry_at:
        return Step(replace(condition, state=EngineState.WAKING), Action.START)
    return Step(condition, look=condition.retry_at)


_STEPS = {
    EngineState.ASLEEP: _asleep,
    EngineState.WAKING: _waking,
    EngineState.READY: _ready,
    EngineState.DRAINING: _draining,
    EngineState.FAILED: _failed,
}
