"""The slash commands of a chat: what they are called, what stands behind them, what they do. A table and no more."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """One command. `argument` is what is written behind it, in capitals, or in brackets where it may be left out."""

    name: str
    argument: str
    does: str


ORDERS = (
    Order("/as", "[NAME]", "speak as NAME; without one, as nobody in particular"),
    Order("/say", "TEXT", "say something and wait for no answer"),
    Order("/retry", "", "another answer to the same"),
    Order("/undo", "", "take back the last question and its answer"),
    Order("/reset", "", "forget what was said"),
    Order("/model", "NAME", "talk to another model"),
    Order("/models", "", "which models there are"),
    Order("/save", "FILE", "write the chat to FILE, which ends in .md or .json (/save! replaces one)"),
    Order("/help", "", "this list"),
)
NAMES = frozenset(order.name for order in ORDERS) | {"/save!"}
HELP = "\n".join(f"{f'{order.name} {order.argument}':<14} {order.does}" for order in ORDERS) + (
    "\n\nAlt-Enter begins a new line, Tab completes, Ctrl-C stops a reply, Ctrl-D leaves."
)


def read_order(line: str) -> tuple[str, str] | None:
    """The command and its argument, empty if it has none. None if it is no command, or is used wrongly."""
    name, _, rest = line.partition(" ")
    argument = rest.strip()
    order = next((order for order in ORDERS if order.name == name.removesuffix("!")), None)
    if order is None or name not in NAMES:
        return None
    needs, takes = order.argument.isupper() and not order.argument.startswith("["), bool(order.argument)
    if (needs and not argument) or (argument and not takes):
        return None
    return name, argument
