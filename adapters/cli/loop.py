"""What a gateway knows that datasets need: who said no, and how people liked the model's answers. Asks its admin API; decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.cli.access import DEFAULT_URL, Access, admin_key
from adapters.cli.admin_api import AdminApi, checked_url

LOOK = "troupe adapters score"


@dataclass(frozen=True)
class SaidNo:
    """Ids of the people who said no, and of those of them who want to be forgotten, with when they said no."""

    people: tuple[str, ...]
    forget: tuple[tuple[str, datetime], ...]


class Loop:
    """Of one community. To be closed. Methods raise CommandError."""

    def __init__(self, access: Access, community: str) -> None:
        settings = access.settings()
        url = checked_url(settings.url or DEFAULT_URL)
        self._api = AdminApi(url, admin_key(settings, url), LOOK, local=False, transport=access.transport)
        self._community = community

    def said_no(self) -> SaidNo:
        content = self._api.ask("GET", "/consent", params={"community": self._community}).content
        with self._api.shape():
            people = content["people"]
            forget = tuple((str(each["person"]), datetime.fromisoformat(each["since"])) for each in people if each["forget"])
            return SaidNo(tuple(str(each["person"]) for each in people), forget)

    def answers(self) -> Sequence[dict[str, Any]]:
        """All that have a text, a page at a time."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            query = {"community": self._community, "cursor": cursor}
            content = self._api.ask("GET", "/feedback/examples", params=query).content
            with self._api.shape():
                page, cursor = list(content["examples"]), str(content["cursor"])
            if not page:
                return found
            found += page

    def close(self) -> None:
        self._api.close()
