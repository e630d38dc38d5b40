"""Parts of a text that something else takes the place of. Knows nothing of what they are."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """`kind`: what it is, for counting; `instead`: what is written there."""

    start: int
    end: int
    kind: str
    instead: str


def replaced(text: str, spans: Iterable[Span]) -> tuple[str, Counter[str]]:
    """The text with each span replaced, and how many of which kind. What overlaps goes as one, under the longest one's name."""
    pieces: list[str] = []
    counts: Counter[str] = Counter()
    done = 0
    for span in merged(spans):
        pieces += (text[done : span.start], span.instead)
        counts[span.kind] += 1
        done = span.end
    pieces.append(text[done:])
    return "".join(pieces), counts


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order and without overlap; everything that any of them covered is covered."""
    done: list[Span] = []
    longest = 0
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        if not done or span.start >= done[-1].end:
            done.append(span)
            longest = span.end - span.start
            continue
        last = done[-1]
        named = span if span.end - span.start > longest else last
        longest = max(longest, span.end - span.start)
        done[-1] = Span(last.start, max(last.end, span.end), named.kind, named.instead)
    return done
