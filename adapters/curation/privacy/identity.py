"""One spelling for each person: the network they write in, and their id there.

Author ids of JSONL are free text and may look like a Discord id, so an id alone says nobody. Messages of a community carry Discord ids
as they are, and ids of other networks with the network in front (`qualified`).
"""

import re
import unicodedata
from enum import Enum

from adapters.sources.sniff import Kind

_DISCORD_ID = re.compile(r"<@!?0{0,9}([1-9]\d{0,18})>|0{0,9}([1-9]\d{0,18})", re.ASCII)
_LONGEST = 100
"""Characters of an id, as the sources cut them."""


class Network(Enum):
    """Where ids mean the same person. An export and a data package are both Discord's."""

    DISCORD = "discord"
    IMAGEBOARD = "imageboard"
    JSONL = "jsonl"


_NETWORKS = {Kind.DISCORD: Network.DISCORD, Kind.PACKAGE: Network.DISCORD, Kind.IMAGEBOARD: Network.IMAGEBOARD, Kind.JSONL: Network.JSONL}


def network_of(kind: Kind) -> Network:
    """The network whose ids a kind of source holds."""
    return _NETWORKS[kind]


def qualified(network: Network, author_id: str) -> str:
    """The author id that a community's messages carry."""
    return author_id if network is Network.DISCORD else f"{network.value}:{author_id}"


def identity(author_id: str) -> tuple[Network, str]:
    """(network, id there) of an id as `qualified` writes it. What names no network is Discord's."""
    for network in (Network.IMAGEBOARD, Network.JSONL):
        prefix = f"{network.value}:"
        if author_id.startswith(prefix):
            return network, author_id[len(prefix) :]
    return Network.DISCORD, author_id


def written_id(network: Network, text: str) -> str | None:
    """The id that a person wrote down, in the spelling of the sources. None: it can be no id of that network."""
    if network is Network.DISCORD:
        match = _DISCORD_ID.fullmatch(text.strip())
        return (match[1] or match[2]) if match else None
    return one_spelling(text) or None


def one_spelling(text: str) -> str:
    """As `adapters.sources.jsonl` spells authors: nothing invisible or doubled that would hide somebody from a list."""
    plain = unicodedata.normalize("NFKC", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd"))
    return " ".join("".join(each for each in plain if unicodedata.category(each)[0] != "C" or each.isspace()).split())[:_LONGEST]
