"""`troupe keys`: thin readers of arguments, over the gateway's admin API or, with --local, on this machine's database."""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Group, RenderableType

from adapters.cli.access import Access
from adapters.cli.command import Result, rendered, sentences, write
from adapters.cli.tables import table
from adapters.cli.text import age, moment
from server.accounts import Scope, parse_key
from server.command import Command, open_api
from server.key_access import GatewayKeys, Keys, local_keys

LOOK = "troupe keys list"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_USES = {
    Scope.CHAT: "TROUPE_API_KEY for `troupe chat` and the bot, api_key for an OpenAI SDK",
    Scope.EVALUATE: "TROUPE_EVALUATE_KEY for `troupe evaluate`",
    Scope.PUBLISH: "TROUPE_ADMIN_KEY for `troupe publish`, `promote`, `canary` and `rollback`",
    Scope.ADMIN: "TROUPE_ADMIN_KEY for `troupe keys` and `status`",
}
_COLUMNS = ("id", "name", "scopes", "communities", "made", "used", "ends")


class Duration(click.ParamType[int]):
    """A length of time in words, as seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]{1,6})([smhdwy])", str(value))
        if found is None:
            self.fail(f"{value!r} is no length of time: write 90s, 45m, 12h, 30d, 2w or 1y.", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


class KeyId(click.ParamType[str]):
    """A key's id; a whole key is taken for its id, so that one that got out can be revoked as it was found."""

    name = "KEY_ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        key_id = parse_key(str(value)) or str(value)
        if not re.fullmatch(r"[0-9a-z-]{1,32}", key_id):
            self.fail("This is no key's id: `troupe keys list` shows them.", param, ctx)
        return key_id


def on_keys(command: Command) -> Callable[..., None]:
    """Around a command's function, which takes the keys and its own arguments by name."""

    @click.option("--local", is_flag=True, help="On this machine's database directly, without a gateway or a key for it.")
    @click.option("--json", "as_json", is_flag=True, help="For programs.")
    @click.pass_context
    def run(context: click.Context, /, *, local: bool, as_json: bool, **arguments: Any) -> None:
        with sentences():
            access = context.find_object(Access) or Access()
            with local_keys(access.settings()) if local else _on_gateway(access) as found:
                result = command(found, **arguments)
            write(json.dumps(result.content) if as_json else rendered(result.shown))

    return functools.update_wrapper(run, command)


@contextmanager
def _on_gateway(access: Access) -> Iterator[Keys]:
    api = open_api(access, LOOK, local=True)
    try:
        with api.shape():
            yield GatewayKeys(api)
    finally:
        api.close()


@click.group()
def keys() -> None:
    """Make, list, replace and revoke keys."""


@keys.command()
@click.argument("name")
@click.option("--community", "communities", multiple=True, metavar="NAME", help="Which it is for; may be given several times.")
@click.option("--all", "for_all", is_flag=True, help="For all communities that there are and will be.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(list(map(str, Scope))), help="May be given several times.  [default: chat]"
)
@click.option("--expires", type=Duration(), help="When it ends, from now: 12h, 30d, 1y.  [default: never]")
@on_keys
def create(found: Keys, *, name: str, communities: tuple[str, ...], for_all: bool, scopes: tuple[str, ...], expires: int | None) -> Result:
    """Make a key. It is shown once, here; NAME says for whom or what."""
    if for_all == bool(communities):
        raise click.UsageError("Say --community NAME, once or more, or --all.")
    content = found.create(name, scopes or ("chat",), None if for_all else communities, expires)
    return Result(content, _shown_once(content))


@keys.command("list")
@click.option("--ended", is_flag=True, help="Also those that were revoked or have expired.")
@on_keys
def list_keys(found: Keys, *, ended: bool) -> Result:
    """List the keys: whose they are, what they open, when they were used."""
    listed = [key for key in found.list() if ended or key["opens"]]
    if not listed:
        return Result(listed, "No key opens here, except what the gateway's settings name: `troupe keys create NAME --all`.")
    now = datetime.now(UTC)
    return Result(listed, table([_row(key, now) for key in listed], _COLUMNS))


@keys.command()
@click.argument("key_id", type=KeyId())
@click.option("--overlap", type=Duration(), help="How long the old one goes on opening: 0s, 12h, 30d.  [default: 1d]")
@on_keys
def rotate(found: Keys, *, key_id: str, overlap: int | None) -> Result:
    """Replace a key by a new one with the same rights, which is shown once, here."""
    content = found.rotate(key_id, overlap)
    old = content["replaces"]
    return Result(content, Group(_shown_once(content), f"The old one, {old['id']}, opens until {moment(old['expires_at'])}."))


@keys.command()
@click.argument("key_id", type=KeyId())
@on_keys
def revoke(found: Keys, *, key_id: str) -> Result:
    """End a key for good. Every gateway refuses it within a second."""
    content = found.revoke(key_id)
    return Result(content, f"The key {content['id']} ({content['name']}) is revoked.")


def _shown_once(key: Mapping[str, Any]) -> RenderableType:
    until = f" until {moment(key['expires_at'])}" if key["expires_at"] else ""
    uses = [words for scope, words in _USES.items() if scope in key["scopes"]]
    return Group(
        f"{key['name']}: {', '.join(key['scopes'])} for {_whose(key)}{until}. The key, shown this once:",
        f"  {key['key']}",
        f"Use it as {'; as '.join(uses)}.",
    )


def _whose(key: Mapping[str, Any]) -> str:
    return "all communities" if key["communities"] is None else ", ".join(key["communities"])


def _row(key: Mapping[str, Any], now: datetime) -> dict[str, str]:
    return {
        "id": str(key["id"]),
        "name": str(key["name"]),
        "scopes": ", ".join(key["scopes"]),
        "communities": "all" if key["communities"] is None else _whose(key),
        "made": age(key["created_at"], now),
        "used": age(key["last_used_at"], now) if key["last_used_at"] else "never",
        "ends": _end(key, now),
    }


def _end(key: Mapping[str, Any], now: datetime) -> str:
    if key["revoked_at"]:
        return f"revoked {age(key['revoked_at'], now)}"
    if key["expires_at"]:
        return (
            ("" if key["opens"] else "ended ")
            + moment(key["expires_at"])
            + (f", replaced by {key['replaced_by']}" if key["replaced_by"] else "")
        )
    return ""
