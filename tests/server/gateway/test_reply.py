"""A reply to a caller who reads, and to one who does not."""

import asyncio

import pytest

from server.gateway.reply import CallerStalled, Message, Reply


async def test_a_caller_who_leaves_a_stream_unread_is_given_up() -> None:
    """After the pieces that still could be sent."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) > 3:
            await asyncio.Event().wait()

    reply = Reply(send, write_timeout=0.01)
    await reply.start(200, ())
    await reply.write(b"one")
    await reply.write(b"two")
    with pytest.raises(CallerStalled):
        await reply.write(b"three")
    assert reply.answered
    assert not reply.ended


async def test_an_end_that_is_not_read_is_given_up_too() -> None:
    """It is no end for whoever waits for room in the connection."""

    async def send(message: Message) -> None:
        if not message.get("more_body", True):
            await asyncio.Event().wait()

    reply = Reply(send, write_timeout=0.01)
    with pytest.raises(CallerStalled):
        await reply.whole(200, (), b"{}")
