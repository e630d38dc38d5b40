"""What a person declares about an import: where the messages come from, and why a model may learn from them.

Nothing is imported without one. What the declaration says is the person's own statement, kept beside the import and shown on the data
card; this module only refuses those that cannot be true of the source they are made for. It is no legal advice.

Discord's Developer Policy (effective 8 July 2024), rule 21: "Do not use message content obtained through the APIs to train machine
learning or AI models (including large language models) unless express permission is granted by Discord."
https://support-dev.discord.com/hc/en-us/articles/8563934450327-Discord-Developer-Policy
An export of a server comes from that API whoever runs the server, and its members' consent does not stand for Discord's. Whether there is
a permission cannot be seen in a file, so that it is a part of the declaration, and a warning stays on the card.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.curation.privacy.errors import BadProvenance
from adapters.sources.sniff import Kind

POLICY_URL = "https://support-dev.discord.com/hc/en-us/articles/8563934450327-Discord-Developer-Policy"
LONGEST_NOTE = 1000
_RULE = (
    "Discord's Developer Policy (rule 21) forbids training on message content obtained through its API unless Discord has expressly "
    f"permitted it, whatever the members agreed to ({POLICY_URL})."
)
_PERMISSION = f"{_RULE} By importing you say that you have this permission."


@dataclass(frozen=True)
class Declarable:
    """`refused`: the kinds of source of which it cannot be true, and why, with what to do. `warned`: what is said beside the others."""

    declaration: str
    refused: Mapping[Kind, str]
    warned: Mapping[Kind, str]


DECLARABLE: Mapping[str, Declarable] = {
    "own-server-consent": Declarable(
        "I run this community; its members know that a model learns from these messages and have agreed to it, or can refuse and are "
        "then left out; and whoever's service the messages were obtained from permits it.",
        {},
        {Kind.DISCORD: _PERMISSION},
    ),
    "own-messages": Declarable(
        "I wrote these messages myself, or the person who did gave them to me for this, and I obtained them as my own data.",
        {
            Kind.DISCORD: "an export of a Discord server holds other people's messages: import your own data package from Discord, "
            "or declare own-server-consent",
            Kind.IMAGEBOARD: "a thread holds other people's posts: declare public-archive",
        },
        {Kind.JSONL: "A chat usually holds other people's messages too: leave in only those whose authors agreed."},
    ),
    "public-archive": Declarable(
        "These messages were published for everybody to read and come from an archive whose terms allow this use.",
        {
            Kind.DISCORD: "messages of a Discord server are no public archive, even where everybody may join, and Discord's Developer "
            f"Policy (rule 21, {POLICY_URL}) forbids training on what its API gives without its permission: declare own-server-consent if "
            "you have this permission and the members agreed",
            Kind.PACKAGE: "a data package is one person's private data: declare own-messages",
        },
        {},
    ),
    "licensed": Declarable(
        "I hold a licence of those who may give it that allows to train a model on these messages.",
        {},
        {Kind.DISCORD: _PERMISSION},
    ),
    "synthetic": Declarable(
        "No person wrote these messages: a program made them.",
        {Kind.PACKAGE: "a data package holds what a person wrote: declare own-messages"},
        {},
    ),
}


@dataclass(frozen=True)
class Provenance:
    """A declaration that was accepted. `note`: the person's own words."""

    kind: str
    declaration: str
    note: str = ""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "declaration": self.declaration, "note": self.note, "warnings": list(self.warnings)}


def declare(what: str | None, source: Kind, note: str = "") -> Provenance:
    """The declaration `what` for an import of a kind of source. Raises BadProvenance."""
    if not what:
        raise BadProvenance(f"Nothing is imported without saying where it comes from: give --provenance with {_choices()}.")
    declarable = DECLARABLE.get(what)
    if declarable is None:
        raise BadProvenance(f"{what[:50]!r} is no provenance: give {_choices()}.")
    if source in declarable.refused:
        raise BadProvenance(f"This cannot be {what}: {declarable.refused[source]}.")
    plain = " ".join("".join(each for each in note if each.isprintable() or each.isspace()).split())
    if len(plain) > LONGEST_NOTE:
        raise BadProvenance(f"The note has {len(plain)} characters: {LONGEST_NOTE} at most are kept.")
    warning = declarable.warned.get(source)
    return Provenance(what, declarable.declaration, plain, (warning,) if warning else ())


def _choices() -> str:
    *first, last = DECLARABLE
    return f"{', '.join(first)} or {last}"
