"""How torch's threads wait for each other. Light: has to come before torch is imported."""

import os


def share_the_cores() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says how.

    By default they spin, which is a tenth faster on an idle machine. Where anything else wants a core, such as an engine, each of many
    thousand waits then lasts until the system takes the core away: the demo's base took ten minutes and more instead of two.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
