"""Keeps heavy packages out of an import that would take them along without using them.

Presidio and spaCy look whether torch and transformers are there and import both: 4 s and 540 MB in place of 0.7 s and 110 MB, for nothing
that curation uses. Both packages are written to do without.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unseen(*packages: str) -> Iterator[None]:
    """Inside it those packages look as if they were not installed, unless they are imported already."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # what the import system takes as "not there"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
