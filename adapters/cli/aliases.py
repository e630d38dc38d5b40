"""`troupe promote`, `canary` and `rollback`, which move aliases: thin readers of arguments."""

import click

from adapters.cli.command import Result, on_registry, tell
from adapters.cli.errors import BadUsage
from adapters.cli.registrar import Move, Registrar
from adapters.registry.manifest import Manifest
from adapters.registry.names import CANARY, LIVE

VERSION = click.IntRange(min=1, max=999_999_999)


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
@on_registry
def promote(registrar: Registrar, *, community: str, version: int, alias: str) -> Result:
    """Point a community's alias at one of its versions.

    Requests follow at once, nothing restarts. A gateway tries the version on its engine first.
    """
    if alias == CANARY:
        raise BadUsage(f"A canary has a share: `troupe canary {community} {version} --share PERCENT`.")
    return _moved(registrar, registrar.promote(community, version, alias=alias))


@click.command()
@click.argument("community")
@click.argument("version", type=VERSION, required=False)
@click.option("--share", type=Percent(), help="How many percent of the community's conversations it answers, 0 to 100.")
@click.option("--off", is_flag=True, help="Take the canary away; live answers everybody.")
@on_registry
def canary(registrar: Registrar, *, community: str, version: int | None, share: float | None, off: bool) -> Result:
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
    return _moved(registrar, registrar.canary(community, version, share=share))


@click.command()
@click.argument("community")
@click.option("--alias", default=LIVE, show_default=True, help="The alias to move back.")
@on_registry
def rollback(registrar: Registrar, *, community: str, alias: str) -> Result:
    """Point a community's alias where it pointed before."""
    return _moved(registrar, registrar.rollback(community, alias=alias))


def warn_untried(registrar: Registrar, manifest: Manifest) -> None:
    """Only a gateway has an engine to try a version on."""
    if not registrar.tries:
        tell(f"{manifest.ref} was not tried on an engine, as no gateway took part.")


def _moved(registrar: Registrar, move: Move) -> Result:
    warn_untried(registrar, move.manifest)
    if move.alias == CANARY:
        return Result(move.to_json(), f"{move.manifest.ref} is the canary and answers {move.share:g} % of the conversations.")
    return Result(move.to_json(), f"{move.manifest.ref} is {move.alias}.")
