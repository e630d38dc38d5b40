"""What can go wrong with accounts.

AccountsError
├── InvalidKey         a text that opens nothing: malformed, unknown, wrong, expired or revoked, all with the same words
├── KeysUnavailable    whom keys belong to is not known, or not known freshly enough to trust; `retry_after` says when to ask again
├── BadGrant           a key that must not be made: scopes that exclude each other, names that cannot be
├── UnknownKey         no key has this id
├── KeyEnded           a key that has been revoked, replaced or has expired cannot be replaced
├── BadCursor          a place in what is exported that is none
├── KeyFileError       a file that an installation keeps a key of its own in cannot be read or made, or holds something else
└── PepperError        the pepper cannot be read or made, or is not the one that the keys were made with

Each message is one sentence or two for people: what happened, what to do. It never holds a key. A database that is away is
`adapters.registry.DatabaseError`.
"""


class AccountsError(Exception):
    """Base of everything that accounts raise on purpose."""


class InvalidKey(AccountsError):
    def __init__(self) -> None:
        super().__init__("This API key is not known here.")


class KeysUnavailable(AccountsError):
    retry_after = 1
    """Seconds."""

    def __init__(self) -> None:
        super().__init__("Keys cannot be checked at the moment. Try again in a moment.")


class BadGrant(AccountsError):
    pass


class UnknownKey(AccountsError):
    pass


class KeyEnded(AccountsError):
    pass


class BadCursor(AccountsError):
    pass


class KeyFileError(AccountsError):
    pass


class PepperError(AccountsError):
    pass
