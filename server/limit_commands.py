"""`troupe limits`: thin readers of arguments, over the gateway's admin API."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import click
from rich.console import Group

from adapters.cli.admin_api import AdminApi
from adapters.cli.command import Result
from adapters.cli.tables import table
from adapters.cli.text import moment
from server.accounts.limits import Kind
from server.accounts.terms import AtCap
from server.command import on_gateway
from server.key_commands import KeyId

LOOK = "troupe limits show"
_NAMES = {
    Kind.REQUESTS: "requests per minute",
    Kind.TOKENS: "tokens per minute",
    Kind.CONCURRENT: "requests at a time",
    Kind.DAY: "tokens per day",
    Kind.MONTH: "money per month",
}
_RIGHT = (*_NAMES.values(), "limit", "used", "for what runs", "left", "weight")


class Cap(click.ParamType[Any]):
    """A number, or `none`, which lifts a limit."""

    name = "NUMBER|none"

    def __init__(self, *, of_money: bool = False) -> None:
        self._of_money = of_money

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if text == "none":
            return text
        try:
            number = Decimal(text)
            if not number.is_finite() or number < 0 or (not self._of_money and number != int(number)):
                raise InvalidOperation
        except InvalidOperation:
            self.fail(f"{text!r} is no limit: write {'an amount as 12.50' if self._of_money else 'a whole number'}, or none.", param, ctx)
        return str(number) if self._of_money else int(number)


def of_whom(command: Callable[..., None]) -> Callable[..., None]:
    """A community, or a key."""
    command = click.option("--key", "key_id", type=KeyId(), help="Of this key, in place of a community.")(command)
    return click.argument("community", required=False)(command)


@click.group()
def limits() -> None:
    """Show, set and clear what communities and keys may use."""


@limits.command()
@of_whom
@on_gateway(LOOK)
def show(api: AdminApi, *, community: str | None, key_id: str | None) -> Result:
    """Show prices and all limits; or what is left of those of a COMMUNITY or a key."""
    if community is None and key_id is None:
        content = api.ask("GET", "/limits").content
        return Result(content, Group(_prices(content["prices"]), "", _agreed(content)))
    content = api.ask("GET", _path(community, key_id)).content
    return Result(content, _account(content))


@limits.command("set")
@of_whom
@click.option("--requests-per-minute", type=Cap())
@click.option("--tokens-per-minute", type=Cap(), help="Of prompts and answers together.")
@click.option("--concurrent", type=Cap(), help="Requests at a time.")
@click.option("--tokens-per-day", type=Cap(), help="A UTC day.")
@click.option("--money-per-month", type=Cap(of_money=True), help="A UTC month, in the gateway's currency.")
@click.option("--at-cap", type=click.Choice(list(map(str, AtCap))), help="When the day's or the month's is spent.")
@click.option("--weight", type=click.IntRange(1, 1000), help="A community's part while others wait too.  [default: 1]")
@on_gateway(LOOK)
def set_limits(api: AdminApi, *, community: str | None, key_id: str | None, **given: Any) -> Result:
    """Change limits of a COMMUNITY or a key: those that are named; the others stay as they are. `none` lifts one."""
    changes = {name: None if value == "none" else value for name, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Say at least one limit, such as --money-per-month 5.")
    path = _path(community, key_id)
    content = api.ask("PUT", path, json={**api.ask("GET", path).content["terms"], **changes}).content
    return Result(content, _account(content))


@limits.command()
@of_whom
@on_gateway(LOOK)
def clear(api: AdminApi, *, community: str | None, key_id: str | None) -> Result:
    """Return a COMMUNITY or a key to what holds for everybody."""
    content = api.ask("DELETE", _path(community, key_id)).content
    return Result(content, _account(content))


def _path(community: str | None, key_id: str | None) -> str:
    if (community is None) == (key_id is None):
        raise click.UsageError("Say either a COMMUNITY or --key KEY_ID.")
    return f"/limits/communities/{quote(community, safe='')}" if community is not None else f"/limits/keys/{key_id}"


def _prices(prices: Mapping[str, Any]) -> str:
    tokens, currency = prices["million_tokens"], prices["currency"]
    return (
        f"A million tokens cost {tokens['prompt']} {currency} in prompts ({tokens['cached']} where cached) and"
        f" {tokens['completion']} {currency} in answers; a second of an engine {prices['engine_second']} {currency}."
    )


def _agreed(content: Mapping[str, Any]) -> Any:
    """A line for everybody, and one for each with whom something else was agreed."""
    rows = [_row("every community", content["defaults"]["community"]), _row("every key", content["defaults"]["key"], is_key=True)]
    rows += [_row(name, terms) for name, terms in content["communities"].items()]
    rows += [_row(f"key {key_id}", terms, is_key=True) for key_id, terms in content["keys"].items()]
    return table(rows, ("of", *_NAMES.values(), "at the cap", "weight"), right=_RIGHT)


def _row(name: str, terms: Mapping[str, Any], *, is_key: bool = False) -> dict[str, str]:
    caps = {words: "none" if terms[kind] is None else str(terms[kind]) for kind, words in _NAMES.items()}
    return {"of": name, **caps, "at the cap": terms["at_cap"], "weight": "" if is_key else str(terms["weight"])}


def _account(content: Mapping[str, Any]) -> Any:
    """Each limit with what is left of it, and when there is more."""
    state, terms = content["state"], content["terms"]
    rows = [_left(words, state[kind]) for kind, words in _NAMES.items()]
    agreed = (
        "What holds for everybody." if content["is_default"] else f"Agreed on. At the cap: {terms['at_cap']}; weight {terms['weight']}."
    )
    return Group(table(rows, ("of", "limit", "used", "for what runs", "left", "more at"), right=_RIGHT), agreed)


def _left(words: str, state: Mapping[str, Any]) -> dict[str, str]:
    return {
        "of": words,
        "limit": _said(state, "limit") or "none",
        "used": _said(state, "used"),
        "for what runs": _said(state, "running") or _said(state, "reserved"),
        "left": _said(state, "remaining"),
        "more at": _more(state),
    }


def _more(state: Mapping[str, Any]) -> str:
    if state.get("resets_at"):
        return moment(state["resets_at"])
    return f"all of it in {state['reset_seconds']:g} s" if state.get("reset_seconds") else ""


def _said(state: Mapping[str, Any], name: str) -> str:
    return "" if state.get(name) is None else str(state[name])
