"""An engine, its callers and a clock for the pure lifecycle: nothing is there, and nothing takes time."""

from server.fleet.engine import Cause, EngineState, Failure
from server.fleet.lifecycle import (
    Action,
    Condition,
    Gone,
    NotStarted,
    Policy,
    Report,
    Seen,
    Started,
    Step,
    Stopped,
    hopeless,
    step,
)

KILLED = Failure(Cause.KILLED, "killed")
REFUSED = Failure(Cause.SETTINGS, "refused")
POLICY = Policy(idle_timeout=300.0, backoff=(1.0, 2.0, 5.0), give_up_after=3, drain_timeout=30.0, distrust_every=600.0)


class World:
    """An engine, its callers and a clock, as `step` sees them; does what it is told, and notices what must never be told."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.now = 1000.0
        self.condition = Condition()
        self.engine = "down"
        """down, starting, up, ending; or gone, for one that died and of which something may be left."""
        self.waiting = self.in_flight = self.refused = 0
        self.last_activity: float | None = None
        self.earliest = 0.0
        """No start before, by what failed last."""
        self.failures = 0
        self.starts: list[float] = []
        self.stops = 0
        self.looks = 0
        self.states: list[EngineState] = [EngineState.ASLEEP]

    def advance(self, report: Report | None = None) -> Step:
        for _ in range(10):
            self.looks += 1
            told = step(self.condition, self.seen(report), self.policy)
            settled = report is None and told.condition == self.condition
            self.condition, report = told.condition, None
            if self.condition.state is not self.states[-1]:
                self.states.append(self.condition.state)
            self.act(told.action)
            if self.condition.state is EngineState.READY:
                self.in_flight, self.waiting = self.in_flight + self.waiting, 0
            elif hopeless(self.condition, self.policy, now=self.now, deadline=None):
                self.refused, self.waiting = self.refused + self.waiting, 0
            if settled:
                assert told.action is Action.NOTHING
                assert told.look is None or told.look > self.now, "it would look again at once, for ever"
                return told
        raise AssertionError("it never settles")

    def is_in(self, state: EngineState) -> bool:
        return self.condition.state is state

    def seen(self, report: Report | None) -> Seen:
        return Seen(self.now, self.waiting, self.in_flight, self.last_activity, report=report)

    def act(self, action: Action) -> None:
        if action is Action.START:
            assert self.engine == "down", f"a start while the engine is {self.engine}"
            assert self.now >= self.earliest, "a start before its time"
            self.engine = "starting"
            self.starts.append(self.now)
        elif action is not Action.NOTHING:
            assert self.engine in ("up", "gone"), f"a stop while the engine is {self.engine}"
            assert action is Action.KILL or not self.in_flight, "a stop under a caller"
            self.engine = "ending"
            self.in_flight = 0
            self.stops += 1

    def arrive(self) -> None:
        if hopeless(self.condition, self.policy, now=self.now, deadline=None):
            self.refused += 1
            return
        self.last_activity = self.now
        self.waiting += 1
        self.advance()

    def finish(self) -> None:
        self.in_flight -= 1
        self.last_activity = self.now
        self.advance()

    def start_ends(self, failure: Failure | None) -> None:
        self.engine = "up" if failure is None else "down"
        if failure is not None:
            self.failures += 1
            pauses = self.policy.backoff
            slowest = failure.cause is Cause.SETTINGS
            self.earliest = self.now + (pauses[-1] if slowest else pauses[min(self.failures, len(pauses)) - 1])
        else:
            self.failures = 0
        self.advance(Started() if failure is None else NotStarted(failure))

    def die(self) -> None:
        self.engine = "gone"
        self.earliest = self.now + self.policy.backoff[0]
        self.in_flight = 0  # their connections are gone
        self.advance(Gone(KILLED))

    def stop_ends(self) -> None:
        self.engine = "down"
        self.advance(Stopped())

    def go_on(self, *, starts_succeed: bool = True) -> None:
        """Whatever is under way comes to its end; else time passes to the next look."""
        if self.engine == "starting":
            self.start_ends(None if starts_succeed else KILLED)
        elif self.engine == "ending":
            self.stop_ends()
        elif self.in_flight:
            self.finish()
        elif (look := self.advance().look) is not None:
            self.now = look
            self.advance()

    def pass_time(self, seconds: float) -> None:
        """Look as often as it asks to, and at most once a second otherwise (a scrape that reads the state is no reason to look)."""
        end = self.now + seconds
        while self.now < end:
            look = self.advance().look
            self.now = min(end, look if look is not None else end)
            if self.engine in ("starting", "ending"):
                self.go_on()
        self.advance()
