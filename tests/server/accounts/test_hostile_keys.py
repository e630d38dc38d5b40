"""What strangers send as a key: whatever it is, it opens nothing, takes no time, and comes to no database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from server.accounts import AccountsError, InvalidKey, KeyRing, KeyStore, UnknownKey, make_key
from server.accounts.key_text import KEY_ID
from tests.server.accounts.stage import opened

COUNT = 10_000

FRAGMENTS = (
    "' OR pg_sleep(8)--", "'; DROP TABLE keys;--", '" OR ""="', "1) UNION SELECT hash FROM keys--", "%27%20OR%201=1", "' AND 1=1--",
    "\0", "\r\n", "\n", "\t", "\x1b[2J", "\x7f", "\u202etxet", "\u200b", "\ufeff", "é", "ß", "١٢٣", "ａｂｃ", "\U0001f511", "\ud800",
    "Bearer ", "bearer", "Basic dXNlcjpwYXNz", "tr_", "tr__", "TR_", "_", "__", "-", ".", "/", "../../etc/passwd", "%s", "%n", "{0}",
    "${jndi:x}", "$(id)", "`id`", "<script>", "None", "null", "true", "*", "%", "?", "\\", "'", '"', ";", "\\x00", "a" * 600, "[]",
)  # fmt: skip


def hostile(seed: int, ours: str) -> Iterator[str]:
    """Fragments put together, into a key that opens, and around it; what a header of bytes becomes; and the very long."""
    random = Random(seed)
    yield from (
        "",
        " ",
        ours + "\n",
        ours + " ",
        ours + "\0",
        " " + ours,
        ours * 2,
        ours.upper(),
        ours[:-1],
        "Bearer " + ours,
        "\ufeff" + ours,
    )
    yield from ("x" * 1_000_000, "\U0001f511" * 250_000, "tr_" + "a" * 1_000_000, f"tr_{'a' * 12}_{'b' * 1_000_000}", "'" * 1_000_000)
    while True:
        pieces = [random.choice(FRAGMENTS) for _ in range(random.randint(1, 4))]
        at = random.randint(0, len(ours))
        yield random.choice(
            (
                "".join(pieces),
                ours[:at] + pieces[0] + ours[at:],
                f"tr_{pieces[0]}_{make_key().text[-32:]}",
                f"tr_{make_key().id}_{''.join(pieces)}",
                make_key().text,
                random.randbytes(random.randint(0, 100)).decode("latin-1"),
                "".join(chr(random.randint(0, 0x10FFFF)) for _ in range(20)),
            )
        )


def values(seed: int, ours: str, count: int = COUNT) -> list[str]:
    return [value for value in islice(hostile(seed, ours), count) if value != ours]


@contextmanager
def watched() -> Iterator[list[tuple[str, Any]]]:
    """Each statement that any database is given meanwhile, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def database_url() -> str:
    """SQLite: what comes to a database at all does not depend on which one it is."""
    return ""


async def test_no_hostile_value_opens_or_is_looked_up(
    tmp_path: Path, database_url: str, record_property: Callable[[str, object], None]
) -> None:
    """Ten thousand of them: not one statement while they are checked, and none takes long, a megabyte included."""
    async with opened(tmp_path, database_url) as store:
        created = await store.create("bot", ["chat"], by="the tests")
        ring = KeyRing(store)
        await ring.refresh()
        asked = values(1, created.text)
        slowest = 0.0
        with watched() as seen:
            for value in asked:
                began = time.process_time()
                with pytest.raises(InvalidKey):
                    ring.find(value)
                slowest = max(slowest, time.process_time() - began)
        assert seen == []
        assert ring.find(created.text).key_id == created.key.id
    assert len(asked) >= COUNT - 5
    record_property("slowest of 10,000 hostile keys, ms of CPU", f"{slowest * 1000:.2f}")
    assert slowest < 0.05


async def test_a_database_is_asked_only_for_what_looks_like_an_id(tmp_path: Path, database_url: str) -> None:
    """Where ids come from outside too, in an admin's path: all else is refused before any statement."""
    async with opened(tmp_path, database_url) as store:
        created = await store.create("bot", ["chat"], by="the tests")
        asked = [*values(2, created.text, 1000), *values(3, created.key.id, 1000)]
        with watched() as seen:
            for value in asked:
                with pytest.raises(UnknownKey):
                    await store.get(value)
                if not KEY_ID.fullmatch(value):
                    with pytest.raises(UnknownKey):
                        await store.revoke(value, by="the tests")
        assert all(KEY_ID.fullmatch(parameter) for _, parameters in seen for parameter in parameters)
        assert {statement.split()[0] for statement, _ in seen} == {"BEGIN", "SELECT"}
        assert all("'" not in statement for statement, _ in seen)


async def test_a_hostile_key_is_not_adopted(tmp_path: Path, database_url: str) -> None:
    """Nor does a statement hold anything of it."""
    async with opened(tmp_path, database_url) as store:
        asked = [value for value in values(4, make_key().text, 1000) if not looks_right(store, value)]
        with watched() as seen:
            for value in asked:
                with pytest.raises(AccountsError):
                    await store.adopt(value, "chat", ["chat"], by="the tests")
        assert seen == []
        assert await store.list() == ()


def looks_right(store: KeyStore, value: str) -> bool:
    """Some of the values are keys that only nobody has."""
    return value.startswith("tr_") and value.isascii() and value[3:].replace("_", "").replace("-", "").isalnum()
