"""`python -m tests.deploy.only_locked LOCK MODULE…`: import modules where nothing but a lock's packages can be imported.

What an image would do with them, without making the image: a package that this environment has and the lock has not is not found.
"""

import importlib
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

OURS = {"troupe"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class OnlyLocked(MetaPathFinder):
    """Stands before all other finders and refuses top-level packages of distributions that are not in the lock."""

    def __init__(self, lock: str) -> None:
        locked = OURS | {normal(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
        self._refused = {
            package
            for package, distributions in packages_distributions().items()
            if not locked & {normal(distribution) for distribution in distributions}
        }

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] in self._refused:
            raise ModuleNotFoundError(f"No module named {name!r} in the image", name=name)
        return None


def main() -> None:
    lock, *modules = sys.argv[1:]
    sys.meta_path.insert(0, OnlyLocked(Path(lock).read_text()))
    for module in modules:
        importlib.import_module(module)


if __name__ == "__main__":
    main()
