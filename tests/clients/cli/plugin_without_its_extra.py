"""A command whose module cannot be imported here, because what it needs is not installed."""

from importlib import import_module

import click

import_module("surely_not_installed.deeper")


@click.command()
def heavy() -> None:
    """Do something heavy.

    At length.
    """
