"""`troupe demo`: a thin reader of arguments."""

import subprocess
import sys
from pathlib import Path

import click

from adapters.settings import home_folder


@click.command()
@click.option("--home", type=click.Path(path_type=Path), default=home_folder, help="TROUPE_HOME.")
def demo(home: Path) -> None:
    """Build the demo: a small base and two communities' adapters, all made here. `troupe up` does it when it is needed."""
    sys.exit(subprocess.run([sys.executable, "-m", "adapters.demo", "--home", str(home)], check=False).returncode)
