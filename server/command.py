"""What commands of an operator have in common: they ask a gateway's admin API, print what they found, and fail with a sentence."""

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from adapters.cli.access import DEFAULT_URL, Access, admin_key
from adapters.cli.admin_api import AdminApi, checked_url
from adapters.cli.command import Result, rendered, sentences, write

Command = Callable[..., Result]


def open_api(access: Access, look: str, *, local: bool = False) -> AdminApi:
    """To be closed. `look`: the command that shows whether something was done. `local`: whether there is a --local. Raises CommandError."""
    settings = access.settings()
    url = checked_url(settings.url or DEFAULT_URL)
    return AdminApi(url, admin_key(settings, url), look, local=local, transport=access.transport)


def on_gateway(look: str) -> Callable[[Command], Callable[..., None]]:
    """Around a command's function, which takes an AdminApi and its own arguments by name. `look`: as for `open_api`."""

    def around(command: Command) -> Callable[..., None]:
        @click.option("--json", "as_json", is_flag=True, help="For programs.")
        @click.pass_context
        def run(context: click.Context, /, *, as_json: bool, **arguments: Any) -> None:
            with sentences():
                api = open_api(context.find_object(Access) or Access(), look)
                try:
                    with api.shape():
                        result = command(api, **arguments)
                finally:
                    api.close()
                write(json.dumps(result.content) if as_json else rendered(result.shown))

        return functools.update_wrapper(run, command)

    return around
