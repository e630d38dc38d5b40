"""What can be wrong at the gateway, as a chat key sees it. Looks, and wakes no engine unless it is to ask."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from clients.api import Status, Troupe, unknown_model
from clients.cli.doctor.finding import Finding, failed, ill, odd, skipped, well
from clients.cli.doctor.machine import look_at_clock
from clients.cli.remembered import RememberedModels
from clients.errors import TroupeError
from clients.offer import Offer
from clients.settings import ClientSettings

API = "v1"
"""What this program speaks, as the gateway's document of its API names it."""
QUESTION = "Say one word."
ANSWER_TOKENS = 16


async def look_at_gateway(
    settings: ClientSettings, own_version: str, ask: str | None, clock: Callable[[], float] = time.monotonic
) -> list[Finding]:
    """From whether anybody answers to, if `ask` names a model, whether it does. What comes after a failure cannot be looked at."""
    async with Troupe(settings.url, settings.api_key or "none") as troupe:
        began = clock()
        try:
            status = await troupe.status()
        except TroupeError as error:
            return [failed("gateway", error)]
        findings = [well("gateway", f"answers at {settings.url} in {(clock() - began) * 1000:.0f} ms")]
        findings.append(look_at_version(await _version(troupe), own_version))
        findings += [look_at_clock(status.clock, datetime.now(UTC)), look_at_engine(status)]
        if settings.api_key is None:
            return findings
        try:
            offers = await troupe.offers()
        except TroupeError as error:
            return [*findings, failed("models", error)]
        RememberedModels(settings).keep(offers)
        findings.append(look_at_models(offers))
        if ask is not None:
            findings.append(await _asked(troupe, ask, offers, clock))
        return findings


def look_at_version(there: str | None, here: str) -> Finding:
    """`there` is the version of the gateway's API, `here` that of this program."""
    if there is None:
        return skipped("versions", f"troupe {here}; what answers does not tell which API it speaks")
    if there != API:
        return odd("versions", f"troupe {here} speaks {API}, the gateway {there}", "Bring the older of the two up to date.")
    return well("versions", f"troupe {here}; the gateway speaks {there}, too")


def look_at_engine(status: Status) -> Finding:
    if status.engine is None:
        return skipped("engine", "what answers does not tell; it is another server of OpenAI's protocol")
    if not status.ready:
        reason = status.details.get("reason")
        said = f"{status.engine}; {reason}" if isinstance(reason, str) else status.engine
        return ill("engine", f"no requests are taken: {said}", "On the gateway's machine, `troupe status` says more, and so does its log.")
    return well("engine", f"{status.engine}; the next request wakes it" if status.engine == "asleep" else status.engine)


def look_at_models(offers: Sequence[Offer]) -> Finding:
    if not offers:
        return odd("models", "this key may use none", "Have a key made for a community: troupe keys create.")
    return well("models", ", ".join(offer.name for offer in offers))


async def _version(troupe: Troupe) -> str | None:
    try:
        return await troupe.version()
    except TroupeError:
        return None


async def _asked(troupe: Troupe, model: str, offers: Sequence[Offer], clock: Callable[[], float]) -> Finding:
    if not any(model.partition("@")[0] == offer.name for offer in offers):
        return failed("answer", unknown_model(model, [offer.name for offer in offers]))
    began = clock()
    try:
        reply = await troupe.complete_chat(model, [{"role": "user", "content": QUESTION}], max_tokens=ANSWER_TOKENS)
    except TroupeError as error:
        return failed("answer", error)
    if not reply.text.strip():
        return ill("answer", f"{model} said nothing", "Try another version of it, or ask whoever trained it.")
    return well("answer", f"{model} said something after {clock() - began:.1f} s")
