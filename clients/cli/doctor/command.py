"""`troupe doctor`: what is not well between here, the gateway and Discord, and what to do about it."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

import click

from clients.cli.doctor.discord import look_at_discord
from clients.cli.doctor.finding import Finding, Health, exit_code, failed
from clients.cli.doctor.gateway import look_at_gateway
from clients.cli.doctor.machine import look_at_files, look_at_key, look_at_settings
from clients.cli.exits import exit_codes
from clients.cli.models import how_others_come
from clients.cli.options import known_models, url_option
from clients.errors import BadSettings
from clients.settings import ClientSettings, read_bot_token, read_settings

_SIGNS = {Health.WELL: ("✓", "green"), Health.ODD: ("!", "yellow"), Health.ILL: ("✗", "red"), Health.SKIPPED: ("-", None)}


@click.command()
@click.option("--ask", metavar="MODEL", shell_complete=known_models, help="Also ask MODEL something: wakes the engine, costs a few tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@url_option
@exit_codes()
def doctor(ask: str | None, as_json: bool, url: str | None) -> None:
    """Look whether everything is well: settings, key, gateway, engine, Discord; and say what to do where it is not.

    The exit code is that of a command which would meet the first failure: 3 without a gateway, 4 without a good key.
    """
    settings: ClientSettings | None = None
    try:
        settings = read_settings(url=url)
        findings = asyncio.run(examine(settings, read_bot_token(), ask))
    except BadSettings as error:
        findings = [failed("settings", error)]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        show(findings, colour=settings is not None and settings.colour and sys.stdout.isatty())
        if settings is not None and not exit_code(findings):
            click.echo("\n" + how_others_come(settings))
    raise click.exceptions.Exit(exit_code(findings))


async def examine(settings: ClientSettings, bot_token: str | None, ask: str | None) -> list[Finding]:
    """Everything that can be looked at from here, the nearest first."""
    here = [look_at_settings(settings), look_at_key(settings), look_at_files(settings.home)]
    there, discord = await asyncio.gather(look_at_gateway(settings, version("troupe"), ask), look_at_discord(bot_token))
    return [*here, *there, *discord]


def show(findings: Sequence[Finding], *, colour: bool) -> None:
    """A line for each, and below those that are not well what to do."""
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        sign, fg = _SIGNS[finding.health]
        click.echo(f"{click.style(sign, fg=fg) if colour else sign} {finding.what:<{width}}  {finding.said}")
        if finding.fix:
            click.echo(f"  {'':<{width}}  {finding.fix}")
