"""What other packages raise, as callers are told of it: one function for each of them.

Texts that may hold a path, an address or a name of somebody else stay in the log.
"""

from adapters import registry
from server.accounts import errors as accounts
from server.accounts import refusals as ledger
from server.fleet import errors as fleet
from server.gateway import errors
from server.gateway.admission import errors as gate
from server.gateway.rate_headers import of_refusal


def from_registry(error: registry.RegistryError) -> errors.GatewayError:
    """What the admin API says of a RegistryError. Texts that may hold paths or addresses stay in the log."""
    if isinstance(error, registry.InvalidAdapter):
        return errors.InvalidRequest(str(error), param=error.field)
    if isinstance(error, registry.DamagedAdapter):
        return errors.AdapterDamaged("The stored bytes of this adapter are not the ones that were published: publish it again.")
    if isinstance(error, registry.StoreError):
        return errors.RegistryUnavailable("The store of adapters cannot be reached, read or written; the gateway's log says why.")
    if isinstance(error, registry.DatabaseError):
        return errors.RegistryUnavailable("The registry's database cannot be reached, read or written; the gateway's log says why.")
    kind = _OF_REGISTRY.get(type(error))
    return errors.InternalError(errors.WENT_WRONG) if kind is None else kind(str(error))


_OF_REGISTRY: dict[type[registry.RegistryError], type[errors.GatewayError]] = {
    registry.BadName: errors.InvalidRequest,
    registry.UnknownModel: errors.AdapterNotFound,
    registry.Conflict: errors.Conflict,
}
"""Those whose own sentence is fit for a caller: it names communities, versions and aliases only."""


def from_accounts(error: accounts.AccountsError) -> errors.GatewayError:
    """What the admin API says of an AccountsError."""
    kind = _OF_ACCOUNTS.get(type(error))
    return errors.InternalError(errors.WENT_WRONG) if kind is None else kind(str(error))


_OF_ACCOUNTS: dict[type[accounts.AccountsError], type[errors.GatewayError]] = {
    accounts.BadGrant: errors.InvalidRequest,
    accounts.UnknownKey: errors.KeyNotFound,
    accounts.KeyEnded: errors.Conflict,
}
"""Those whose own sentence is fit for a caller."""


def from_fleet(error: fleet.FleetError) -> errors.GatewayError:
    """What a caller is told who got no engine. The fleet's own sentences are fit for callers."""
    return _OF_FLEET.get(type(error), errors.EngineNotReady)(str(error), retry_after=error.retry_after)


_OF_FLEET: dict[type[fleet.FleetError], type[errors.Unavailable]] = {
    fleet.QueueFull: errors.EngineNotReady,
    fleet.DeadlinePassed: errors.DeadlinePassed,
    fleet.WakeFailed: errors.EngineUnavailable,
    fleet.EngineAsleep: errors.EngineNotReady,
    fleet.Stopping: errors.Stopping,
}


def from_ledger(error: ledger.LedgerError) -> errors.GatewayError:
    """What a caller is told whose request the ledger did not let begin. A refusal names the caller's own limits and nobody else's."""
    if isinstance(error, ledger.BudgetSpent):
        return errors.QuotaSpent(str(error), resets_at=f"{error.resets_at:%Y-%m-%dT%H:%M:%SZ}")
    if isinstance(error, ledger.Refused):
        kind = "tokens" if error.limit == "tokens_per_minute" else "requests"
        return errors.TooManyRequests(str(error), retry_after_ms=error.retry_after_ms, kind=kind, told=of_refusal(error))
    if isinstance(error, ledger.LedgerUnavailable):
        return errors.LedgerUnavailable(str(error))
    return errors.InternalError(errors.WENT_WRONG)


def from_gate(error: gate.Refused) -> errors.GatewayError:
    """What a caller is told whom admission did not let in."""
    if isinstance(error, gate.ShareFull):
        return errors.TooManyRequests(str(error), retry_after_ms=error.retry_after * 1000)
    return _OF_GATE.get(type(error), errors.EngineNotReady)(str(error), retry_after=error.retry_after)


_OF_GATE: dict[type[gate.Refused], type[errors.Unavailable]] = {
    gate.QueueFull: errors.EngineNotReady,
    gate.DeadlinePassed: errors.DeadlinePassed,
    gate.GateClosed: errors.Stopping,
}
