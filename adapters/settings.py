"""Where the factory and the registry keep their state. The only file of this package that reads the environment."""

import os
from pathlib import Path


def home_folder() -> Path:
    """TROUPE_HOME, or the usual place below the user's home."""
    return Path(os.environ.get("TROUPE_HOME") or "~/.local/share/troupe").expanduser()
