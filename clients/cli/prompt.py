"""The line in which a person types in a chat: history, several lines, completion, colour. Knows prompt_toolkit and no gateway.

Made for slow links, too: nothing is completed or drawn anew unless a key was pressed.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, Output

from clients.cli.colours import colour_of
from clients.cli.orders import ORDERS

CONTINUED = "… "


class Prompt:
    """Reads what is typed, again and again. `models` tells the model strings as they are known when somebody asks for them.

    `typed_into` and `shown_on` replace the terminal, for tests.
    """

    def __init__(
        self,
        history: Path,
        models: Callable[[], Sequence[str]],
        *,
        colour: bool,
        typed_into: Input | None = None,
        shown_on: Output | None = None,
    ) -> None:
        self._colour = colour
        self._session: PromptSession[str] = PromptSession(
            history=_history(history),
            completer=Words(models),
            complete_while_typing=False,
            key_bindings=_keys(),
            multiline=True,
            prompt_continuation=CONTINUED,
            enable_history_search=False,
            color_depth=None if colour else ColorDepth.DEPTH_1_BIT,
            input=typed_into,
            output=shown_on,
        )

    def read(self, speaker: str = "") -> str:
        """What was typed, lines and all, by `speaker`. Raises EOFError at Ctrl-D and KeyboardInterrupt at Ctrl-C."""
        style = f"ansi{colour_of(speaker)}" if speaker and self._colour else "bold"
        shown: StyleAndTextTuples = [(style, f"{speaker}> ")]
        return self._session.prompt(shown)


class Words(Completer):
    """Completes slash commands, and behind them what they take."""

    def __init__(self, models: Callable[[], Sequence[str]]) -> None:
        self._models = models
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/"):
            return
        name, space, rest = text.partition(" ")
        if not space:
            for order in ORDERS:
                if order.name.startswith(name):
                    yield Completion(order.name, start_position=-len(name), display_meta=order.does)
        elif name == "/model":
            for model in self._models():
                if model.startswith(rest):
                    yield Completion(model, start_position=-len(rest))
        elif name in ("/save", "/save!"):
            yield from self._paths.get_completions(Document(rest, len(rest)), complete_event)


def _keys() -> KeyBindings:
    """Enter sends, Alt-Enter begins a new line; what is pasted keeps its line ends."""
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _history(path: Path) -> History:
    """What was typed in earlier chats, readable by its owner only; kept in memory where the file cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
