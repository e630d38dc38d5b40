"""What can go wrong in the registry.

RegistryError
├── BadName            a community, alias, version, digest or engine name that cannot be one
├── UnknownModel       a well-formed name that nothing answers to
├── BaseError          a base directory that cannot be served
├── InvalidAdapter     an adapter directory that is refused; `field` says which part
├── DamagedAdapter     stored bytes that are no longer the bytes that were published, or are gone
├── Conflict           a move that the present state does not allow: nothing to roll back to, a retired version, a live one to retire
├── StoreError         the store of bytes cannot be reached, read or written
└── DatabaseError      the database cannot be reached, read or written, or was made by another Troupe

Each message is one sentence for people: what happened, what to do.
"""


class RegistryError(Exception):
    """Base of everything the registry raises on purpose."""


class BadName(RegistryError):
    pass


class UnknownModel(RegistryError):
    pass


class BaseError(RegistryError):
    pass


class InvalidAdapter(RegistryError):
    """`field` may be a name that a stranger chose; here it is printable ASCII of at most 120 characters."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = ascii(field[:120])[1:-1][:120]


class DamagedAdapter(RegistryError):
    pass


class Conflict(RegistryError):
    pass


class StoreError(RegistryError):
    pass


class DatabaseError(RegistryError):
    pass
