"""`troupe adapters`: the published adapters, how people like them, and who decides about canaries. Thin readers of arguments."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click
from rich.console import Group, RenderableType

from adapters.cli.admin_api import AdminApi
from adapters.cli.command import Result
from adapters.cli.tables import table
from adapters.cli.text import moment
from adapters.cli.versions import ls
from server.command import on_gateway
from server.feedback.canary import MAX_CONFIDENCE, MAX_DAYS, MAX_MINIMUM, MAX_THRESHOLD, MIN_CONFIDENCE, Policy

LOOK = "troupe adapters score"
_RIGHT = ("answers", "young", "counted", "bangers", "banger rate", "from", "to")
_DEFAULT = Policy()


@click.group("adapters", invoke_without_command=True, params=list(ls.params))
@click.pass_context
def adapters(context: click.Context, /, **given: Any) -> None:
    """List the published adapters, as `ls` does; below it: how people like them."""
    if context.invoked_subcommand is None:
        context.invoke(ls, **given)


@adapters.command()
@click.argument("community")
@click.option(
    "--threshold",
    type=click.IntRange(1, MAX_THRESHOLD),
    default=_DEFAULT.threshold,
    show_default=True,
    help="How many people make a banger.",
)
@on_gateway(LOOK)
def score(api: AdminApi, *, community: str, threshold: int) -> Result:
    """Show the banger rate of each version of a COMMUNITY.

    An answer counts a day after it was sent, by the reactions that it had then. The true rate is between `from` and `to` 95 times in 100.
    """
    content = api.ask("GET", "/feedback/scores", params={"community": community, "threshold": threshold}).content
    if not content["versions"]:
        return Result(content, f"Nobody has told of answers of {community} yet: a Discord bot that is linked to it does.")
    return Result(content, _scores(content))


@adapters.command("canary-policy")
@click.argument("community")
@click.option("--on/--off", "wanted", default=None, help="Let reactions decide; or people again.")
@click.option("--confidence", type=click.FloatRange(MIN_CONFIDENCE, MAX_CONFIDENCE), help=f"[default: {_DEFAULT.confidence}]")
@click.option(
    "--minimum", type=click.IntRange(1, MAX_MINIMUM), help=f"Counted answers of each version before that.  [default: {_DEFAULT.minimum}]"
)
@click.option("--threshold", type=click.IntRange(1, MAX_THRESHOLD), help=f"People who make a banger.  [default: {_DEFAULT.threshold}]")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), help=f"After these an undecided canary goes.  [default: {_DEFAULT.days}]")
@on_gateway("troupe adapters canary-policy")
def canary_policy(api: AdminApi, *, community: str, wanted: bool | None, **terms: Any) -> Result:
    """Show, or say, whether reactions decide about a COMMUNITY's canaries.

    A canary that people like more becomes live, one that they like less goes, and so does one that is undecided when time is up. It may
    be looked at as often as one likes: what counts as sure takes that into account. Give it work by `troupe canary`.
    """
    given = {name: value for name, value in terms.items() if value is not None}
    if given and not wanted:
        raise click.UsageError("These are for a policy: say --on with them.")
    path = f"/communities/{quote(community, safe='')}/canary"
    verb = "PUT" if wanted else "GET" if wanted is None else "DELETE"
    content = api.ask(verb, path, json=given).content
    return Result(content, _policy(content))


def _scores(content: Mapping[str, Any]) -> RenderableType:
    rows = [
        {
            "version": each["adapter"],
            "aliases": ", ".join(each["aliases"]),
            "answers": f"{each['answers']:,}",
            "young": f"{each['waiting']:,}" if each["waiting"] else "",
            "counted": f"{each['counted']:,}",
            "bangers": f"{each['bangers']:,}",
            "banger rate": _percent(each["rate"]),
            "from": _percent(each["low"]),
            "to": _percent(each["high"]),
        }
        for each in content["versions"]
    ]
    shown: list[RenderableType] = [table(rows, ("version", "aliases", *_RIGHT), right=_RIGHT)]
    shown += ["", f"A banger is an answer that {content['threshold']} people or more liked within {content['hours']} hours."]
    if compared := content["canary_against_live"]:
        sure = f"{100 * compared['probability_better']:.1f} %"
        shown.append(f"{compared['canary']} (canary) is better than {compared['live']} (live) with a probability of {sure}.")
    return Group(*shown)


def _policy(content: Mapping[str, Any]) -> RenderableType:
    community, policy, standing = content["community"], content["policy"], content["standing"]
    shown: list[RenderableType]
    if policy is None:
        shown = [f"People decide about canaries of {community}: `troupe adapters canary-policy {community} --on` lets reactions do it."]
    else:
        shown = [
            f"Reactions decide about canaries of {community}, {100 * policy['confidence']:g} % sure, with {policy['minimum']} counted "
            f"answers or more of each version, within {policy['days']} days. {policy['threshold']} people make a banger.",
            f"Said by {policy['by']} on {moment(policy['at'])}.",
        ]
    if standing is not None:
        canary, live = (f"{standing[name]['bangers']} bangers of {standing[name]['counted']}" for name in ("canary", "live"))
        shown.append(
            f"So far the canary has {canary}, live {live}. Evidence that it is better: {standing['better']:.2g}, worse: "
            f"{standing['worse']:.2g}; {standing['needed']:.3g} decides."
        )
    rows = [
        {
            "canary": str(trial["canary"]),
            "live": str(trial["live"]),
            "from": moment(trial["began"]),
            "to": moment(trial["ended"]) if trial["ended"] else "",
            "outcome": trial["outcome"] or "goes on",
            "why": trial["why"] or "",
        }
        for trial in content["trials"]
    ]
    if rows:
        shown += ["", table(rows, ("canary", "live", "from", "to", "outcome", "why"), folded=("why",))]
    return Group(*shown)


def _percent(part: float | None) -> str:
    return "" if part is None else f"{100 * part:.1f} %"
