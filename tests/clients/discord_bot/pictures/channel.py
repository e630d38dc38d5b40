"""A channel as people see it, drawn from the messages that the fake Discord has. Knows as much of Discord's markup as the bot writes."""

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from tests.clients.discord_bot.pictures.drawing import ACCENT, GREY, INK, LINE, PAPER, SIDE, Drawing, width_of

WIDTH, LEFT, SIZE, STEP = 720, 72, 14.0, 21
_STYLED = re.compile(r"(\*\*.+?\*\*|`.+?`)")
_CHANNEL = re.compile(r"<#\d+>")
_MOMENT = re.compile(r"<t:\d+:R>")
_COLOURS = {"Alice": "#db2777", "Bob": "#0d9488"}
EPHEMERAL = 64


@dataclass(frozen=True)
class Shown:
    """One thing on the screen."""

    author: str
    text: str
    used: str = ""
    """`Alice used /why`, above a command's answer."""
    replies_to: str = ""
    private: bool = False
    reactions: tuple[tuple[str, int], ...] = ()
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """A form that the bot asks to be filled in: its title, and each field's label, hint and content."""

    title: str
    fields: tuple[tuple[str, str, str], ...]
    sends: str = "Submit"


def of_message(message: dict[str, Any], *, used: str = "", reactions: tuple[tuple[str, int], ...] = (), replies_to: str = "") -> Shown:
    """A message of the fake Discord's."""
    buttons = [button["label"] for row in message.get("components") or [] for button in row["components"]]
    author = str(message["author"]["global_name"])
    return Shown(author, message["content"], used, replies_to, bool(int(message.get("flags") or 0) & EPHEMERAL), reactions, tuple(buttons))


def draw(title: str, entries: list[Shown | Form]) -> str:
    """The SVG of these entries, one below the other."""
    drawing = Drawing(WIDTH, 0, title)
    y = 18.0
    for entry in entries:
        y = 16 + (_form(drawing, entry, y) if isinstance(entry, Form) else _message(drawing, entry, y))
    drawing.height = int(y + 4)
    frame = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{drawing.height - 1}" rx="10" fill="{PAPER}" stroke="{LINE}"/>'
    drawing.parts.insert(0, frame)
    return drawing.svg()


def _message(drawing: Drawing, shown: Shown, y: float) -> float:
    above = shown.used or (f"↱  {shown.replies_to}" if shown.replies_to else "")
    if above:
        drawing.text(LEFT, y + 12, above, size=12, fill=GREY)
        y += 20
    colour = _COLOURS.get(shown.author, ACCENT)
    drawing.parts.append(f'<circle cx="38" cy="{y + 18:g}" r="18" fill="{colour}"/>')
    drawing.text(38, y + 24, shown.author[0].upper(), size=16, fill=PAPER, bold=True, anchor="middle")
    drawing.text(LEFT, y + 13, shown.author, bold=True, fill=colour)
    if shown.author not in _COLOURS:
        at = LEFT + width_of(shown.author, SIZE, bold=True) + 8
        drawing.box(at, y + 1, 34, 16, fill=ACCENT, r=4)
        drawing.text(at + 17, y + 13, "APP", size=10, fill=PAPER, bold=True, anchor="middle")
    y = _text(drawing, shown.text, y + 34)
    x: float = LEFT
    for label in shown.buttons:
        x += drawing.button(x, y - 8, label, fill=SIDE if label not in "AB" else ACCENT, ink=INK if label not in "AB" else PAPER) + 8
    y += 34 if shown.buttons else 0
    x = LEFT
    for emoji, count in shown.reactions:
        drawing.box(x, y - 10, 52, 24, fill="#e0e7ff", stroke=ACCENT, r=8)
        drawing.text(x + 26, y + 7, f"{emoji} {count}", size=13, anchor="middle")
        x += 60
    y += 24 if shown.reactions else 0
    if shown.private:
        drawing.text(LEFT, y + 3, "Only you can see this", size=12, fill=GREY)
        y += 12
    return y


def _form(drawing: Drawing, form: Form, y: float) -> float:
    height = 96 + 78 * len(form.fields)
    drawing.box(140, y, 440, height, fill=SIDE, stroke=LINE, r=10)
    drawing.text(164, y + 32, form.title, size=16, bold=True)
    for number, (label, hint, content) in enumerate(form.fields):
        top = y + 54 + 78 * number
        drawing.text(164, top + 8, label, size=13, bold=True)
        drawing.text(164, top + 25, hint, size=11.5, fill=GREY)
        drawing.box(164, top + 32, 392, 32, fill=PAPER, stroke=LINE)
        drawing.text(176, top + 53, content, size=13, fill=INK if content else GREY)
    drawing.button(464, y + height - 44, form.sends, w=92)
    return y + height


def _text(drawing: Drawing, text: str, y: float) -> float:
    """The paragraphs of a message; the place below them."""
    for paragraph in _CHANNEL.sub("**#lounge**", _MOMENT.sub("`in a while`", text)).split("\n"):
        quoted = paragraph.startswith("> ")
        left = LEFT + (14 if quoted else 0)
        for line in _lines(paragraph.removeprefix("> "), WIDTH - left - 24):
            if quoted:
                drawing.box(LEFT, y - 14, 4, STEP, fill=LINE, r=2)
            spans = "".join(f"<tspan{_look(style)}>{escape(part, quote=False)}</tspan>" for part, style in line)
            drawing.parts.append(f'<text x="{left:g}" y="{y:g}" font-size="{SIZE:g}" fill="{INK}" xml:space="preserve">{spans}</text>')
            y += STEP
    return y


def _lines(paragraph: str, width: float) -> list[list[tuple[str, str]]]:
    """The lines of a paragraph, each as pieces of text with their style: bold, code or none."""
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0.0
    for piece in _STYLED.split(paragraph):
        style = "b" if piece.startswith("**") else "c" if piece.startswith("`") else ""
        for word in re.split(r"(?<= )", piece.strip("*") if style == "b" else piece.strip("`") if style == "c" else piece):
            wide = width_of(word, SIZE, bold=style == "b") * (1.1 if style == "c" else 1.0)
            if used and used + wide > width:
                lines.append([])
                used = 0.0
            said, before = lines[-1].pop() if lines[-1] and lines[-1][-1][1] == style else ("", style)
            lines[-1].append((said + word, before))
            used += wide
    return lines


def _look(style: str) -> str:
    return {"b": ' font-weight="600"', "c": f' font-family="Consolas, DejaVu Sans Mono, monospace" font-size="12.5" fill="{GREY}"'}.get(
        style, ""
    )
