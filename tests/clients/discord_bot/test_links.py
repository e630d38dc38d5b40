"""Whom the bot speaks as where: a guild's own admins say so, and no guild ever speaks as another."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from clients.api import Troupe
from clients.discord_bot.errors import LinkRefused, StateBroken
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.links import Links, OwnVoice, guild_of_settings
from clients.discord_bot.sealing import Sealer
from clients.discord_bot.store.store import Store
from tests.clients.stub_gateway import KEY, StubGateway, serving

ALICE, HERE, THERE = 11, 101, 102
ZIZOU, GREYBEARDS, BOTH, NONE = "tr_zizou", "tr_greybeards", "tr_both", "tr_none"


@pytest.fixture
async def gateway() -> AsyncIterator[StubGateway]:
    keys = {ZIZOU: ("base", "zizou"), GREYBEARDS: ("base", "greybeards"), BOTH: ("base", "greybeards", "zizou"), NONE: ("base",)}
    async with serving(StubGateway(keys=keys)) as gateway:
        yield gateway


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "state.sqlite3") as store:
        yield store


@pytest.fixture
async def links(store: Store, gateway: StubGateway) -> AsyncIterator[Links]:
    links = Links(store, Sealer(b"s" * 32), lambda key: Troupe(gateway.url, key))
    yield links
    await links.close()


async def test_each_guild_speaks_as_its_own_community(links: Links, gateway: StubGateway) -> None:
    """With its own key; one that nobody linked does not speak."""
    assert await links.link(HERE, f" {ZIZOU}\n", by=ALICE) == "zizou"
    assert await links.link(THERE, GREYBEARDS, by=ALICE) == "greybeards"
    here, there = await links.voice(HERE), await links.voice(THERE)
    assert here is not None
    assert there is not None
    for voice in (here, there):
        await voice.troupe.complete_chat(voice.model, [])
    assert [asked["model"] for asked in gateway.asked] == ["zizou", "greybeards"]
    assert gateway.asked_with == [ZIZOU, GREYBEARDS]
    assert await links.voice(103) is None
    assert [voice.guild for voice in await links.voices()] == [HERE, THERE]


async def test_a_row_that_is_moved_to_another_guild_opens_nothing(links: Links, store: Store) -> None:
    """Whoever can write into the file cannot make one guild speak as another."""
    await links.link(HERE, ZIZOU, by=ALICE)
    row = await store.links.of(HERE)
    assert row is not None
    await store.links.put(replace(row, guild=THERE))
    with pytest.raises(StateBroken):
        await links.voice(THERE)


@pytest.mark.parametrize(
    ("key", "community", "sentence"),
    [
        ("tr_wrong", None, "does not accept this key"),
        ("", None, "does not accept this key"),
        ("x" * 500, None, "no key"),
        (NONE, None, "no live adapter"),
        (BOTH, None, "several communities"),
        (ZIZOU, "greybeards", "does not speak for"),
    ],
)
async def test_a_key_that_does_not_fit_changes_nothing(links: Links, key: str, community: str | None, sentence: str) -> None:
    """The sentence is for the admin and holds nothing of the key."""
    await links.link(HERE, GREYBEARDS, by=ALICE)
    with pytest.raises(LinkRefused, match=sentence) as caught:
        await links.link(HERE, key, by=ALICE, community=community)
    assert not key or key not in str(caught.value)
    voice = await links.voice(HERE)
    assert voice is not None
    assert voice.community == "greybeards"


async def test_of_several_communities_one_is_named(links: Links) -> None:
    """A key for all of them links a guild to one."""
    assert await links.link(HERE, BOTH, by=ALICE, community="zizou") == "zizou"


async def test_a_gateway_that_is_away_is_said(store: Store) -> None:
    """The key may be good."""
    links = Links(store, Sealer(b"s" * 32), lambda key: Troupe("http://127.0.0.1:1", key))
    with pytest.raises(LinkRefused, match="Try again"):
        await links.link(HERE, ZIZOU, by=ALICE)


async def test_an_unlinked_guild_is_silent(links: Links, store: Store) -> None:
    """And its key is gone; so it is when the bot was sent away."""
    await links.link(HERE, ZIZOU, by=ALICE)
    assert await links.unlink(HERE)
    assert not await links.unlink(HERE)
    assert await links.voice(HERE) is None
    await links.link(HERE, ZIZOU, by=ALICE)
    await links.sent_away(HERE)
    assert await store.links.all() == []


async def test_a_new_key_does_not_cut_off_the_answer_that_is_under_way(links: Links, gateway: StubGateway) -> None:
    """Neither one that is being made nor one that is about to be; the next one is asked for with the new key."""
    gateway.thinking = asyncio.Event()
    await links.link(HERE, ZIZOU, by=ALICE)
    before = await links.voice(HERE)
    assert before is not None
    asking = asyncio.create_task(before.troupe.complete_chat("zizou", []))
    await asyncio.wait_for(gateway.was_asked.wait(), 20)
    await links.link(HERE, BOTH, by=ALICE, community="zizou")
    after = await links.voice(HERE)
    assert after is not None
    gateway.thinking.set()
    assert (await asking).text == gateway.answer
    for voice in (before, after):
        await voice.troupe.complete_chat("zizou", [])
    assert gateway.asked_with == [ZIZOU, ZIZOU, BOTH]


async def test_a_chosen_version_is_one_of_the_guilds_own_community(links: Links, store: Store) -> None:
    """One of another community counts for nothing, as after the guild was linked anew."""
    await links.link(HERE, BOTH, by=ALICE, community="zizou")
    for chosen, model in (("zizou@7", "zizou@7"), ("greybeards@1", "zizou"), (None, "zizou")):
        await store.guilds.put(HERE, GuildSettings(model=chosen))
        voice = await links.voice(HERE)
        assert voice is not None
        assert voice.model == model


@pytest.mark.parametrize(
    ("named", "pinned", "guilds", "chosen"),
    [
        (None, None, [HERE], HERE),
        (None, None, [HERE, THERE], None),
        (None, None, [], None),
        (None, HERE, [HERE, THERE], HERE),
        (None, 103, [HERE], HERE),
        (None, 103, [HERE, THERE], None),
        (THERE, HERE, [HERE], THERE),
    ],
)
def test_the_settings_voice_is_for_one_guild(named: int | None, pinned: int | None, guilds: list[int], chosen: int | None) -> None:
    """The named one, else the one it was given to, else the only one; never for whoever invites the bot next."""
    assert guild_of_settings(named, pinned, guilds) == chosen


async def test_the_settings_guild_is_remembered(store: Store, gateway: StubGateway) -> None:
    """Over starts: a second guild does not silence the first, and does not get its voice."""
    for guilds in ([HERE], [HERE, THERE]):
        links = Links(store, Sealer(b"s" * 32), lambda key: Troupe(gateway.url, key), own=OwnVoice("zizou@canary", KEY))
        await links.meet(guilds)
        voice = await links.voice(HERE)
        assert voice is not None
        assert (voice.community, voice.model) == ("zizou", "zizou@canary")
        assert await links.voice(THERE) is None
        await links.close()


async def test_a_key_that_does_not_open_silences_its_own_guild_alone(links: Links, store: Store) -> None:
    """The others are told of and talk as before."""
    await links.link(HERE, ZIZOU, by=ALICE)
    row = await store.links.of(HERE)
    assert row is not None
    await store.links.put(replace(row, guild=THERE))
    assert [voice.guild for voice in await links.voices()] == [HERE]
