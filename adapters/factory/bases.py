"""Which base an adapter is made for, and the recipe that suits it. Knows where the demo lies; loads nothing."""

from dataclasses import dataclass
from pathlib import Path

from adapters.cli.errors import BadUsage
from adapters.demo.build import build_demo
from adapters.demo.recipe import DemoRecipe, content_hash
from adapters.training.command import DEFAULT_PRESET

DEMO_PRESET = "demo"


@dataclass(frozen=True)
class Choice:
    """`base`: a directory or a hub name; `preset`: of training; `note`: what the person should know of the choice."""

    base: str
    preset: str
    note: str = ""


def choose_base(given: str | None, configured: str, home: Path) -> Choice:
    """The base that is `given`, else the `configured` one (TROUPE_BASE), else the demo's, if that is built. Raises BadUsage."""
    named = given or configured
    if named:
        is_demo = (home / "demo").resolve() in Path(named).expanduser().resolve().parents
        return Choice(named, DEMO_PRESET if is_demo else DEFAULT_PRESET)
    if not (home / "demo" / content_hash(DemoRecipe())).is_dir():
        raise BadUsage("Which base is the adapter for? Give --base or set TROUPE_BASE; `troupe up` without one builds the demo's.")
    base = build_demo(home, lambda stage, done, total: None).base
    return Choice(str(base), DEMO_PRESET, "No base is set, so the adapter is made for the demo's, which only knows small talk.")
