"""What several of the commands that talk take: a model, and where to find the gateway. Knows click and the models' remembered names."""

import asyncio
import sys
from contextlib import suppress

import click

from clients.api import Troupe
from clients.cli.remembered import RememberedModels
from clients.errors import TroupeError
from clients.settings import read_settings
from clients.wire import needs_no_lookup

COMPLETION_S = 0.1
"""Who presses Tab waits for a gateway no longer than this. One whose name must be looked up first is not asked at all, for nothing can
end a lookup: the names are those that `chat`, `models` and `doctor` saw last."""


def known_models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The model strings that begin like `incomplete`: from the last minutes, or asked for now, or older ones if nobody answers."""
    with suppress(TroupeError):
        settings = read_settings(url=context.params.get("url"))
        remembered = RememberedModels(settings)
        names = remembered.fresh()
        if names is None and needs_no_lookup(settings.url):
            with suppress(TroupeError, TimeoutError):
                asyncio.run(_remember(Troupe(settings.url, settings.chat_key()), remembered))
        return [name for name in names or remembered.any() if name.startswith(incomplete)]
    return []


async def _remember(troupe: Troupe, remembered: RememberedModels) -> None:
    async with asyncio.timeout(COMPLETION_S), troupe:
        remembered.keep(await troupe.offers())


model_argument = click.argument("model", shell_complete=known_models)
url_option = click.option("--url", metavar="URL", help="The gateway's address; without it TROUPE_URL, or what the settings file says.")
system_option = click.option("--system", help="Instructions that stand before the question.")
max_tokens_option = click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
temperature_option = click.option("--temperature", type=click.FloatRange(0, 2), help="0 is always the likeliest word.")
seed_option = click.option("--seed", type=int, help="The same seed gives the same answer, as far as the engine can promise.")


def is_conversation() -> bool:
    """Whether a person sits before both ends of the command."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
