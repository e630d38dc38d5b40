"""What every message that leaves for Discord must look like. Pure: bodies in, bodies out.

The last wall, whoever built the message and by whichever way it goes: new, edited, an answer to a command, a follow-up, a webhook.
Nobody can be pinged by it, no link in it unfolds, nothing is read aloud, and no key is in it. What a community wants left out is not
decided here (`filter`).
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from clients.discord_bot.errors import Unsendable

SUPPRESS_EMBEDS = 1 << 2
LEFT_OUT = "[…]"

_SAYS = frozenset({"allowed_mentions", "components", "content", "embeds", "poll", "sticker_ids"})
"""Fields of which a message has at least one, and nothing else that the bot sends has any, but for forms and lists of choices."""
_CALLBACKS_WITHOUT_MESSAGE = frozenset({1, 6, 8, 9})
"""Types of an answer to an interaction: pong, deferred without a word, choices, a form."""
_EVERYBODY = re.compile(r"@(?=everyone|here)", re.IGNORECASE)
_KEYS = re.compile(
    r"tr_[0-9a-z]{4,32}_[\w-]{16,}"  # Troupe's
    r"|mfa\.[\w-]{60,}|(?<![\w-])[\w-]{23,}\.[\w-]{6,7}\.[\w-]{27,}"  # Discord's
    r"|https?://(?:\w{1,10}\.)?discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{1,20}/[\w-]{20,}"
)


class Outgoing:
    """`secrets` are never in what leaves, whatever they look like: the bot's token, the gateway's keys."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def guarded(self, body: bytes) -> bytes:
        """The body to send instead of this one. Raises Unsendable if it is no JSON, as nobody can tell what it would say."""
        try:
            said = json.loads(body)
        except ValueError as exc:
            raise Unsendable("Something that is not JSON was not sent to Discord: nobody can tell what it would say.") from exc
        return json.dumps(self.checked(said), ensure_ascii=False, separators=(",", ":")).encode()

    def checked(self, said: Any) -> Any:
        """The same, with every message in it made safe; what is no message stays as it is."""
        if not isinstance(said, dict):
            return said
        if isinstance(said.get("data"), dict) and "type" in said:  # an answer to an interaction
            return said if said["type"] in _CALLBACKS_WITHOUT_MESSAGE else said | {"data": self._message(said["data"])}
        if isinstance(said.get("message"), dict):  # a thread that begins with one
            return said | {"message": self._message(said["message"])}
        return self._message(said) if said.keys() & _SAYS else said

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        safe: dict[str, Any] = {key: self._said(value) for key, value in message.items()}
        safe["allowed_mentions"] = {"parse": [], "replied_user": False}
        flags = safe.get("flags")
        safe["flags"] = (flags if isinstance(flags, int) else 0) | SUPPRESS_EMBEDS
        safe.pop("tts", None)
        if safe.get("embeds"):
            del safe["embeds"]
        return safe

    def _said(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._said(each) for each in value]
        return {key: self._said(each) for key, each in value.items()} if isinstance(value, dict) else value

    def _text(self, text: str) -> str:
        """No keys; and no `@everyone` that would ping where a bridge or another bot repeats it. Never longer than before."""
        for secret in self._secrets:
            text = text.replace(secret, LEFT_OUT)
        return _EVERYBODY.sub("＠", _KEYS.sub(LEFT_OUT, text))
