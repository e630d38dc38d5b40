"""What the operator asks for: an exact sum, in millionths of his currency, computed once when a request is settled. Pure."""

from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Tokens per million of them, as everybody quotes them: 0.15 dollars for a million prompt tokens is `prompt=150_000`.

    `cached`: of prompt tokens that were in the prefix cache; like the others if None. `engine_second`: in billionths, since it is little:
    20 cents an hour are 0.000055556 dollars a second, which is `engine_second=55_556`.
    """

    prompt: int = 0
    cached: int | None = None
    completion: int = 0
    engine_second: int = 0

    def __post_init__(self) -> None:
        if min(self.prompt, self.cached or 0, self.completion, self.engine_second) < 0:
            raise ValueError("A price cannot be below zero: set it to 0 for what is free.")

    def tokens(self, prompt: int, cached: int, completion: int) -> int:
        """Rounded up once, so that the sum over many small requests is never below what was quoted."""
        cached = min(cached, prompt)
        cached_price = self.prompt if self.cached is None else self.cached
        millionths = (prompt - cached) * self.prompt + cached * cached_price + completion * self.completion
        return -(-millionths // MILLION)

    def most(self, prompt: int, completion: int, engine_ms: int) -> int:
        """No settlement within these bounds costs more."""
        dearest = max(self.prompt, self.cached or 0)
        return -(-(prompt * dearest + completion * self.completion) // MILLION) + self.engine(engine_ms)

    def engine(self, milliseconds: int) -> int:
        """Rounded up, as tokens are."""
        return -(-milliseconds * self.engine_second // MILLION)
