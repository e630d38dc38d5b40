"""Prompts and answers in the log: of those communities that are named for it, and of no others."""

from typing import Any

import pytest

from loadtests.fake_engine import CHAT, TEXT, Fault, Voice
from server.gateway.settings import GatewaySettings
from tests.server.gateway.log_lines import line_of, lines_of
from tests.server.gateway.stage import CHAT_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED, SAID = "what-is-asked", "what-is-said"


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    return settings.model_copy(update={"log_prompts": frozenset({"zizou"})})


async def ask(stage: Stage, caplog: pytest.LogCaptureFixture, path: str, header: dict[str, str], **body: Any) -> list[dict[str, Any]]:
    """All lines of the log about this request."""
    caplog.set_level("INFO", logger="troupe.gateway")
    stage.fault(vocabulary=(SAID,), voices={}, quotes=True)
    prompt = {"messages": [{"role": "user", "content": ASKED}]} if path == CHAT else {"prompt": ASKED}
    request_id = (await stage.http.post(path, json={**prompt, **body}, headers=header)).headers["x-request-id"]
    await line_of(caplog, request_id)
    return [line for line in lines_of(caplog) if line.get("request") == request_id]


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("stream", [True, False])
async def test_who_wants_it_finds_its_words(stage: Stage, caplog: pytest.LogCaptureFixture, path: str, stream: bool) -> None:
    """What was asked and what was answered, in a line of its own beside the request's."""
    header = {"authorization": f"Bearer {CHAT_KEY}"}
    told = await ask(stage, caplog, path, header, model="zizou", stream=stream, max_tokens=2)
    (words,) = [line for line in told if line["message"] == "words"]
    assert (words["community"], words["answer"]) == ("zizou", [SAID * 2])
    assert words["prompt"] == (ASKED if path == TEXT else [{"role": "user", "content": ASKED}])


@pytest.mark.parametrize("stream", [True, False])
async def test_of_all_others_there_is_no_word(stage: Stage, caplog: pytest.LogCaptureFixture, stream: bool) -> None:
    """Neither of what they ask nor of what they are told; also where the engine quotes them in an error."""
    header = await stage.key("chat", communities=["greybeards"])
    for fault in (Fault.NONE, Fault.STATUS_400, Fault.STATUS_500, Fault.ERROR_EVENT):
        stage.fault(fault=fault)
        for model in ("greybeards", "base"):
            told = await ask(stage, caplog, CHAT, header, model=model, stream=stream)
            assert ASKED not in str(told)
            assert SAID not in str(told)
            assert "words" not in [line["message"] for line in told]
            assert (fault is Fault.NONE) == (len(told) == 1)


async def test_an_error_of_the_engine_s_is_told_by_its_kind(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """With the engine's own sentence only where words may be in the log."""
    stage.fault(fault=Fault.STATUS_400)
    for model, quoted in (("greybeards", False), ("zizou", True)):
        told = await ask(stage, caplog, CHAT, {}, model=model)
        (refused,) = [line for line in told if line["message"] == "engine refused"]
        assert refused["engine_status"] == 400
        assert (ASKED in str(refused)) is quoted
        assert quoted or refused["engine_type"] == "BadRequestError"


async def test_the_base_s_words_are_its_payer_s(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Who is named is who pays, whichever model is asked."""
    header = await stage.key("chat", communities=["zizou"])
    stage.fault(voices={"base": Voice(vocabulary=(SAID,))})
    told = await ask(stage, caplog, CHAT, header, model="base")
    assert [line["community"] for line in told if line["message"] == "words"] == ["zizou"]
