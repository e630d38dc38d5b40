"""The event reader, fed bytes cut where a network may cut them."""

from collections.abc import AsyncIterator, Iterable

import pytest

from clients.sse import COMMENT, Event, events

WIRE = "data: héé 🎉\n\n: keepalive\n\nevent: error\ndata: a\ndata: b\n\nid: 4\n\n".encode()


async def _read(chunks: Iterable[bytes]) -> list[Event]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [event async for event in events(stream())]


@pytest.mark.parametrize("size", range(1, len(WIRE) + 1))
async def test_events_do_not_depend_on_how_the_bytes_are_cut(size: int) -> None:
    """The same events come out for every chunk size, although some cut a character in two."""
    read = await _read(WIRE[start : start + size] for start in range(0, len(WIRE), size))
    assert read == [Event("héé 🎉"), Event("keepalive", COMMENT), Event("a\nb", "error")]


async def test_crlf_line_ends_are_line_ends() -> None:
    """A server that ends lines with CR LF says the same."""
    assert await _read([WIRE.replace(b"\n", b"\r\n")]) == await _read([WIRE])


async def test_an_event_that_no_blank_line_ends_is_not_an_event() -> None:
    """What was cut off in the middle is not handed on as if it were whole."""
    assert await _read([b"data: whole\n\ndata: cut of"]) == [Event("whole")]
