"""Amounts of money: whole millionths of the operator's currency inside, exact decimals for people and programs outside. Pure."""

from decimal import Decimal

from server.accounts.limits import NO_LIMIT

PLACES = 6


def millionths(amount: Decimal) -> int:
    """Raises ValueError for what is below zero, larger than any account, or finer than a millionth."""
    if not amount.is_finite() or not 0 <= amount <= NO_LIMIT // 10**PLACES:
        raise ValueError("An amount of money is 0 or more, as 12.50.")
    scaled = amount.scaleb(PLACES)
    if scaled != int(scaled):
        raise ValueError(f"An amount of money has at most {PLACES} digits after the point.")
    return int(scaled)


def amount(of_millionths: int) -> str:
    """As a decimal with two digits after the point, and more where there are more: `12.50`, `0.000015`."""
    whole, part = divmod(abs(of_millionths), 10**PLACES)
    digits = f"{part:0{PLACES}}"
    return f"{'-' if of_millionths < 0 else ''}{whole}.{digits[:2]}{digits[2:].rstrip('0')}"
