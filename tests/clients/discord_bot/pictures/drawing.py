"""A plain SVG: boxes, lines of text, a ring around what is meant. Knows no subject."""

from dataclasses import dataclass, field
from html import escape

FONT = "Segoe UI, Helvetica, Arial, sans-serif"
INK, GREY, LINE, PAPER, SIDE, ACCENT, MARK = "#0f172a", "#64748b", "#cbd5e1", "#ffffff", "#f1f5f9", "#5865f2", "#ea580c"
_WIDE, _NARROW = set("MWmw@%—…"), set("iljtfrI.,:;'!|()[] ")


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a line is in pixels: nobody knows which font it will be shown in."""
    units = sum(0.92 if sign in _WIDE else 0.32 if sign in _NARROW else 1.3 if ord(sign) > 0x2600 else 0.56 for sign in text)
    return units * size * (1.07 if bold else 1.0)


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The lines of `text` that fit into `width` pixels, cut between words; line breaks stay."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and width_of(longer, size) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


@dataclass
class Drawing:
    """Grows by calls; `svg()` is the file. Pixels from the upper left corner."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, w: float, h: float, *, fill: str = PAPER, stroke: str = "none", r: float = 6) -> None:
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{r:g}" fill="{fill}" stroke="{stroke}"/>')

    def text(self, x: float, y: float, said: str, *, size: float = 14, fill: str = INK, bold: bool = False, anchor: str = "start") -> None:
        weight = ' font-weight="600"' if bold else ""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{weight}{place}>{escape(said, quote=False)}</text>')

    def button(self, x: float, y: float, said: str, *, w: float = 0, fill: str = ACCENT, ink: str = PAPER) -> float:
        """A button; its width."""
        w = w or width_of(said, 13, bold=True) + 28
        self.box(x, y, w, 32, fill=fill, r=5)
        self.text(x + w / 2, y + 21, said, size=13, fill=ink, bold=True, anchor="middle")
        return w

    def mark(self, number: int, x: float, y: float, w: float, h: float) -> None:
        """A ring around something, with the number by which the text speaks of it."""
        self.parts.append(
            f'<rect x="{x - 5:g}" y="{y - 5:g}" width="{w + 10:g}" height="{h + 10:g}" rx="9" fill="none" '
            f'stroke="{MARK}" stroke-width="2.5"/>'
        )
        self.parts.append(f'<circle cx="{x + w + 5:g}" cy="{y - 5:g}" r="11" fill="{MARK}"/>')
        self.text(x + w + 5, y - 0.5, str(number), size=13, fill=PAPER, bold=True, anchor="middle")

    def switch(self, x: float, y: float, *, on: bool) -> None:
        self.box(x, y, 40, 22, fill="#16a34a" if on else "#94a3b8", r=11)
        self.parts.append(f'<circle cx="{x + (29 if on else 11):g}" cy="{y + 11:g}" r="8" fill="{PAPER}"/>')

    def svg(self) -> str:
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" font-family="{FONT}">'
        return "\n".join([head, f"<title>{escape(self.title, quote=False)}</title>", *self.parts, "</svg>", ""])
