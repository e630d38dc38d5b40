"""Who may do what, and what it cost. Light: SQL and nothing of HTTP, engines or models.

Keys, at the start of a gateway, in this order (the arguments from its settings):

    database = await open_accounts(home, database_url=…)      # also the ledger's; closed at the end
    store = await open_keys(database, home, pepper=…)         # TROUPE_KEY_PEPPER; empty for the file home/keys/pepper
    kept = await ensure_key(store, home, Own.ADMIN)           # for each key that the settings do not name; show `kept.text` if `is_new`
    ring = KeyRing(store, configured=[ConfiguredKey("chat", text, Own.CHAT.scopes), …])  # for each key that they do name
    await ring.refresh()                                      # nobody is let in before
    following = asyncio.create_task(ring.follow())            # cancelled at the end, then: await ring.note_used()

The pepper is bound to the database by its first start: gateways that share one, or whose home does not last, must be told it.

For each request `ring.find(text)`, then `principal.may(scope, community)`. Admin routes change keys through the ring, commands that
work on the database itself through the store.
"""

from server.accounts.database import default_database, open_accounts
from server.accounts.errors import AccountsError, BadGrant, InvalidKey, KeyEnded, KeyFileError, KeysUnavailable, PepperError, UnknownKey
from server.accounts.installation import Kept, Own, ensure_key
from server.accounts.key import Created, Key
from server.accounts.key_text import MAX_LENGTH, make_key, parse_key
from server.accounts.keys import KeyStore, open_keys
from server.accounts.pepper import forget_pepper
from server.accounts.principal import Principal, Scope
from server.accounts.ring import ConfiguredKey, KeyRing

__all__ = [
    "MAX_LENGTH",
    "AccountsError",
    "BadGrant",
    "ConfiguredKey",
    "Created",
    "InvalidKey",
    "Kept",
    "Key",
    "KeyEnded",
    "KeyFileError",
    "KeyRing",
    "KeyStore",
    "KeysUnavailable",
    "Own",
    "PepperError",
    "Principal",
    "Scope",
    "UnknownKey",
    "default_database",
    "ensure_key",
    "forget_pepper",
    "make_key",
    "open_accounts",
    "open_keys",
    "parse_key",
]
