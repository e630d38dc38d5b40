import asyncio

import pytest

from loadtests.driver import Driver, Limits, Target, TargetError, list_models, request_body
from loadtests.measure import Sample, figures, ttft_s
from loadtests.workload import Arrival
from tests.loadtests.stub_server import running_stub

PATIENT = Limits(drain_s=5.0)


def arrivals(*models: str, gap_s: float = 0.01) -> list[Arrival]:
    return [Arrival(index * gap_s, model, "hello", 8, seed=1) for index, model in enumerate(models)]


async def drive(url: str, plan: list[Arrival], limits: Limits = PATIENT) -> list[Sample]:
    return await Driver(Target(url), limits).run(plan)


async def test_a_complete_answer_has_its_times_and_the_servers_token_counts() -> None:
    """Three pieces are three times in order, and tokens are those that the server says it made."""
    async with running_stub() as stub:
        (sample,) = await drive(stub.url, arrivals("fine"))
    assert sample.error is None
    assert (sample.prompt_tokens, sample.completion_tokens) == (5, 3)
    assert len(sample.pieces_s) == 3
    assert sample.sent_s is not None
    assert sample.scheduled_s <= sample.sent_s < sample.pieces_s[0] <= sample.pieces_s[2] <= sample.ended_s


async def test_every_kind_of_failure_has_its_class() -> None:
    """Refusal, error event, early end and no answer in time are told apart, and none counts as an answer."""
    async with running_stub() as stub:
        plan = arrivals("refused", "broken", "short", "silent", "fine")
        samples = await drive(stub.url, plan, Limits(request_s=1.5, drain_s=5.0))
    assert [sample.error for sample in samples] == ["http 429", "stream error: engine_gone", "cut short", "timeout", None]


async def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    """A refused connection is reported by its kind and does not stop the run."""
    async with running_stub() as stub:
        url = stub.url
    samples = await drive(url, arrivals("fine", "fine"))
    assert [sample.error for sample in samples] == ["connection: ClientConnectorError"] * 2


async def test_a_stall_shows_in_every_request_that_was_due_meanwhile() -> None:
    """No coordinated omission: requests keep leaving while the server answers none, and each counts the stall from when it was due."""
    async with running_stub() as stub:
        stub.stalled_for = 20
        samples = await drive(stub.url, arrivals(*["fine"] * 20, gap_s=0.05))
    stall_ends_s = samples[-1].scheduled_s
    for sample in samples:
        wait_s = ttft_s(sample)
        assert wait_s is not None
        assert wait_s >= stall_ends_s - sample.scheduled_s
    assert figures(samples, warmup_s=0.0).total.ttft.p50 >= 0.4


async def test_too_many_open_requests_are_reported_as_dropped() -> None:
    """Above the limit a request is not sent, and not hidden either."""
    async with running_stub() as stub:
        samples = await drive(stub.url, arrivals(*["silent"] * 4), Limits(in_flight=2, drain_s=1.0))
        assert len(stub.asked) == 2
    assert [sample.error for sample in samples] == ["unfinished", "unfinished", "dropped", "dropped"]
    assert samples[2].sent_s is None


async def test_the_run_ends_although_the_server_does_not() -> None:
    """After the drain the rest is unfinished, with the time that it had waited."""
    async with running_stub() as stub:
        samples = await drive(stub.url, arrivals("silent", "fine"), Limits(drain_s=1.0))
    assert [sample.error for sample in samples] == ["unfinished", None]
    assert samples[0].ended_s >= 1.0


async def test_a_stopped_run_returns_what_it_has() -> None:
    """Stopping ends the schedule at once and keeps the answers that came."""
    ended = asyncio.Event()
    async with running_stub() as stub:
        driver = Driver(Target(stub.url), Limits(drain_s=60.0), on_end=ended.set)
        run = asyncio.create_task(driver.run([*arrivals("fine", "silent"), Arrival(3600.0, "fine", "later", 8, seed=1)]))
        await ended.wait()
        driver.stop()
        samples = await run
    assert samples[0].error is None
    assert {sample.error for sample in samples[1:]} <= {"unfinished"}
    assert len(samples) <= 2


async def test_models_come_from_the_server() -> None:
    """The list is the server's, and a refused key or an absent server is one sentence saying what to set."""
    async with running_stub() as stub:
        assert await list_models(Target(stub.url)) == ["fine", "also-fine"]
        with pytest.raises(TargetError, match="TROUPE_API_KEY"):
            await list_models(Target(stub.url, "wrong"))
        with pytest.raises(TargetError, match="does not list its models"):
            await list_models(Target(stub.url + "/elsewhere"))
        url = stub.url
    with pytest.raises(TargetError, match="Nobody answers"):
        await list_models(Target(url))


def test_a_request_asks_for_its_usage() -> None:
    """Token counts are the server's, so every request asks for them; the seed makes a run repeatable."""
    (arrival,) = arrivals("zizou@canary")
    body = request_body(arrival)
    assert body["stream_options"] == {"include_usage": True}
    assert (body["model"], body["max_tokens"], body["seed"]) == ("zizou@canary", 8, 1)


def test_a_key_does_not_show() -> None:
    """Printing a target does not print its key."""
    assert "secret" not in repr(Target("http://127.0.0.1", "secret"))
