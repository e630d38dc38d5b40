"""`troupe status`: a thin reader of arguments, over the gateway's admin API."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import click

from adapters.cli.access import admin_key as kept_admin_key
from adapters.cli.command import sentences
from adapters.settings import read_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The gateway's answer as it is.")
@click.option("--url", envvar="TROUPE_URL", default="http://127.0.0.1:8000", show_default=True)
@click.option("--admin-key", envvar="TROUPE_ADMIN_KEY", default="", help="TROUPE_ADMIN_KEY; this machine's own if it is not set.")
def status(as_json: bool, url: str, admin_key: str) -> None:
    """Show what the gateway serves and how its engine is."""
    with sentences():
        key = admin_key or kept_admin_key(read_settings(), url)
    request = urllib.request.Request(f"{url}/admin/v1/status", headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  the operator's own URL
            content = json.load(answer)
    except urllib.error.HTTPError as exc:
        _stop(f"{url} answers {exc.code}: set TROUPE_ADMIN_KEY to this installation's admin key (TROUPE_HOME/keys/admin).")
    except OSError as exc:
        _stop(f"No Troupe gateway answers at {url} ({exc}): start one with `make up`, or set TROUPE_URL.")
    if as_json:
        click.echo(json.dumps(content))
        return
    engine = content["engine"]
    click.echo(f"engine  {engine['state']}" + (f": {engine['failure']}" if engine["failure"] else ""))
    click.echo(f"mode    {_life(engine)}")
    if content["ledger"]["failure"]:
        click.echo(f"ledger  {content['ledger']['failure']}")
    click.echo(f"base    {content['base']}")
    click.echo(f"models  {', '.join(content['models'])}")


def _life(engine: Mapping[str, Any]) -> str:
    """How an engine has slept and woken, and what it does now."""
    told, times = [engine["mode"]], engine["wakes"]
    if times:
        how_often = "once," if times == 1 else f"{times} times, last"
        told.append(f"woken {how_often} in {engine['last_wake_seconds']:.1f} s")
    if engine["failed_wakes"]:
        told.append(f"{engine['failed_wakes']} wakes failed")
    told.append(f"{engine['in_flight']} requests in flight, {engine['waiting']} waiting")
    if engine["idle_seconds"] is not None:
        told.append(f"idle for {engine['idle_seconds']:.0f} s")
    return "; ".join(told)


def _stop(sentence: str) -> None:
    click.echo(f"troupe: {sentence}", err=True)
    sys.exit(1)
