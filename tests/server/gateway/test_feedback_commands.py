"""`troupe adapters` with what it tells of feedback, against a real gateway."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from adapters.cli.access import Access
from adapters.settings import RegistrySettings
from server.feedback_commands import adapters
from tests.server.gateway.stage import ADMIN_KEY, Stage
from tests.server.gateway.test_feedback import item, send


async def run(stage: Stage, *arguments: str) -> Result:
    settings = RegistrySettings(home=Path("/nowhere"), url=f"http://127.0.0.1:{stage.port}", admin_key=ADMIN_KEY)
    return await asyncio.to_thread(CliRunner().invoke, adapters, arguments, obj=Access(settings=lambda: settings))


async def said(stage: Stage, *arguments: str) -> str:
    ran = await run(stage, *arguments)
    assert ran.exit_code == 0, ran.output
    return ran.output


async def test_without_a_word_more_the_adapters_are_listed(fresh: Stage) -> None:
    """With the options of `troupe ls`."""
    assert "zizou" in await said(fresh)
    assert {each["community"] for each in json.loads(await said(fresh, "--json"))} >= {"zizou", "greybeards"}


async def test_scores_in_words_and_for_programs(fresh: Stage) -> None:
    assert "Nobody has told of answers of zizou yet" in await said(fresh, "score", "zizou")
    await send(fresh, *(item(str(number), people=3 if number < 2 else 0) for number in range(10)))
    await send(fresh, item("x", "zizou@2", people=1))
    lines = (await said(fresh, "score", "zizou")).splitlines()
    assert lines[0].split() == ["version", "aliases", "answers", "counted", "bangers", "banger", "rate", "from", "to"]
    assert lines[1].split() == ["zizou@1", "live", "10", "10", "2", "20.0", "%", "5.7", "%", "51.0", "%"]
    assert "2 people or more liked within 24 hours" in lines[-1] or "2 people or more liked within 24 hours" in lines[-2]
    content = json.loads(await said(fresh, "score", "zizou", "--threshold", "1", "--json"))
    assert [each["bangers"] for each in content["versions"]] == [2, 1]
    unknown = await run(fresh, "score", "nobodys")
    assert (unknown.exit_code, "There is no community 'nobodys'" in unknown.output) == (5, True)


async def test_who_decides_about_canaries(fresh: Stage) -> None:
    """People, until it is said otherwise; what is not said is what the policy has by default."""
    assert "People decide about canaries of zizou" in await said(fresh, "canary-policy", "zizou")
    text = await said(fresh, "canary-policy", "zizou", "--on", "--confidence", "0.9", "--days", "7")
    assert "Reactions decide about canaries of zizou, 90 % sure, with 50 counted answers or more of each version, within 7 days." in text
    assert json.loads(await said(fresh, "canary-policy", "zizou", "--json"))["policy"]["days"] == 7
    assert (await run(fresh, "canary-policy", "zizou", "--days", "7")).exit_code == 2
    assert "People decide" in await said(fresh, "canary-policy", "zizou", "--off")
    unknown = await run(fresh, "canary-policy", "nobodys", "--on")
    assert (unknown.exit_code, "There is no community 'nobodys'" in unknown.output) == (5, True)
