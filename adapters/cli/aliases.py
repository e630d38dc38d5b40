"""`troupe promote`, `canary` and `rollback`, which move aliases: thin readers of arguments."""

import click

from adapters.cli.command import Result, on_registry, tell
from adapters.cli.errors import BadUsage
from adapters.cli.registrar import Move, Registrar
from adapters.registry.gates import GUARDED
from adapters.registry.manifest import Manifest
from adapters.registry.names import CANARY, LIVE

VERSION = click.IntRange(min=1, max=999_999_999)
override_option = click.option(
    "--override", default="", metavar="WHY", help="Do it though it failed its gates; why is kept with the version."
)


class Percent(click.ParamType[float]):
    """0 to 100, as `10`, `2.5` or `10%`."""

    name = "percent"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            share = float(value.removesuffix("%") if isinstance(value, str) else value)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 100:  # so that NaN is none either
            self.fail(f"{value!r} is not a share: use 0 to 100 percent.", param, ctx)
        return share


@click.command()
@click.argument("community")
@click.argument("version", type=VERSION)
@click.option("--alias", default=LIVE, show_default=True, help="The alias to move.")
@override_option
@on_registry
def promote(registrar: Registrar, *, community: str, version: int, alias: str, override: str) -> Result:
    """Point a community's alias at one of its versions.

    Requests follow at once, nothing restarts. A gateway tries the version on its engine first. One that failed the gates of its report
    card becomes neither live nor canary, unless --override says why.
    """
    if alias == CANARY:
        raise BadUsage(f"A canary has a share: `troupe canary {community} {version} --share PERCENT`.")
    return _moved(registrar, registrar.promote(community, version, alias=alias, override=override))


@click.command()
@click.argument("community")
@click.argument("version", type=VERSION, required=False)
@click.option("--share", type=Percent(), help="How many percent of the community's conversations it answers, 0 to 100.")
@click.option("--off", is_flag=True, help="Take the canary away; live answers everybody.")
@override_option
@on_registry
def canary(registrar: Registrar, *, community: str, version: int | None, share: float | None, off: bool, override: str) -> Result:
    """Let a version answer a share of what asks for live.

    A conversation stays with the version that it began with.
    """
    if off:
        if version is not None or share is not None:
            raise BadUsage(f"--off takes no version and no share: `troupe canary {community} --off`.")
        registrar.clear(community, CANARY)
        return Result({"community": community, "alias": CANARY, "version": None, "share": 0.0}, f"{community} has no canary now.")
    if version is None or share is None:
        raise BadUsage("Which version, and for how many? `troupe canary COMMUNITY VERSION --share PERCENT`, or --off.")
    return _moved(registrar, registrar.canary(community, version, share=share, override=override))


@click.command()
@click.argument("community")
@click.option("--alias", default=LIVE, show_default=True, help="The alias to move back.")
@on_registry
def rollback(registrar: Registrar, *, community: str, alias: str) -> Result:
    """Point a community's alias where it pointed before."""
    move = registrar.rollback(community, alias=alias)
    warn_untried(registrar, move.manifest)
    return _said(move)


def warn_untried(registrar: Registrar, manifest: Manifest) -> None:
    """Only a gateway has an engine to try a version on."""
    if not registrar.tries:
        tell(f"{manifest.ref} was not tried on an engine, as no gateway took part.")


def warn_ungraded(manifest: Manifest) -> None:
    """Without a report card there are no gates."""
    if manifest.report_card is None:
        tell(f"{manifest.ref} came without a report card: nothing says what it learnt. `troupe evaluate` makes one before a publish.")


def _moved(registrar: Registrar, move: Move) -> Result:
    warn_untried(registrar, move.manifest)
    if move.alias in GUARDED:
        warn_ungraded(move.manifest)
    return _said(move)


def _said(move: Move) -> Result:
    if move.alias == CANARY:
        return Result(move.to_json(), f"{move.manifest.ref} is the canary and answers {move.share:g} % of the conversations.")
    return Result(move.to_json(), f"{move.manifest.ref} is {move.alias}.")
