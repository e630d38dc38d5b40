"""What to click at Discord before the bot can come, drawn: the pages as far as they matter, in our own strokes."""

from tests.clients.discord_bot.pictures.drawing import ACCENT, GREY, LINE, PAPER, SIDE, Drawing

_MENU = ("General Information", "Installation", "OAuth2", "Bot", "Emojis", "Webhooks")
WIDTH, LEFT, TOP = 760, 214, 44
_PORTAL = "discord.com/developers/applications"


def pictures() -> dict[str, str]:
    """Each file's content by its name."""
    return {
        "discord-1-application.svg": _application(),
        "discord-2-token.svg": _token(),
        "discord-3-intent.svg": _intent(),
        "discord-4-invite.svg": _invite(),
    }


def _application() -> str:
    drawing = _window(300, "A new application", _PORTAL)
    drawing.text(28, 84, "Applications", size=20, bold=True)
    drawing.button(592, 62, "New Application", w=140)
    drawing.mark(1, 592, 62, 140, 32)
    drawing.box(180, 116, 400, 164, fill=PAPER, stroke=LINE, r=10)
    drawing.text(204, 146, "Create an application", size=15, bold=True)
    drawing.text(204, 172, "Name", size=12, fill=GREY)
    drawing.box(204, 180, 352, 34, fill=SIDE, stroke=LINE)
    drawing.text(216, 202, "zizou")
    drawing.mark(2, 204, 180, 352, 34)
    drawing.button(464, 232, "Create", w=92)
    drawing.mark(3, 464, 232, 92, 32)
    return drawing.svg()


def _token() -> str:
    drawing = _page("The bot's token", "Bot")
    drawing.text(LEFT, 84, "Bot", size=20, bold=True)
    drawing.text(LEFT, 116, "Username", size=12, fill=GREY)
    drawing.box(LEFT, 124, 300, 34, fill=SIDE, stroke=LINE)
    drawing.text(LEFT + 12, 146, "zizou")
    drawing.text(LEFT, 192, "Token", size=12, fill=GREY)
    drawing.text(LEFT, 214, "It is shown once. Copy it to where only you can read it.", size=13)
    drawing.button(LEFT, 238, "Reset Token", w=116)
    drawing.mark(2, LEFT, 238, 116, 32)
    drawing.button(LEFT + 152, 238, "Copy", w=80, fill=SIDE, ink="#0f172a")
    drawing.mark(3, LEFT + 152, 238, 80, 32)
    return drawing.svg()


def _intent() -> str:
    drawing = _page("The Message Content Intent", "Bot", 346)
    drawing.text(LEFT, 84, "Privileged Gateway Intents", size=17, bold=True)
    for number, (name, on) in enumerate((("Presence Intent", False), ("Server Members Intent", False), ("Message Content Intent", True))):
        y = 104 + number * 60
        drawing.box(LEFT, y, 510, 48, fill=PAPER, stroke=LINE)
        drawing.text(LEFT + 16, y + 29, name)
        drawing.switch(LEFT + 454, y + 13, on=on)
    drawing.mark(1, LEFT + 454, 237, 40, 22)
    drawing.text(LEFT, 318, "The other two stay off. At the bottom of the page:", size=12, fill=GREY)
    drawing.button(LEFT + 382, 298, "Save Changes", w=128, fill="#16a34a")
    drawing.mark(2, LEFT + 382, 298, 128, 32)
    return drawing.svg()


def _invite() -> str:
    drawing = _window(330, "Inviting the bot", "discord.com/oauth2/authorize?client_id=…")
    drawing.box(190, 64, 380, 250, fill=PAPER, stroke=LINE, r=10)
    drawing.text(380, 96, "zizou wants to access your account", size=15, bold=True, anchor="middle")
    drawing.text(214, 128, "Add to server", size=12, fill=GREY)
    drawing.box(214, 136, 332, 34, fill=SIDE, stroke=LINE)
    drawing.text(226, 158, "Friends")
    drawing.text(528, 158, "▾", fill=GREY, anchor="middle")
    drawing.mark(1, 214, 136, 332, 34)
    drawing.text(214, 200, "This will allow it to", size=12, fill=GREY)
    for number, right in enumerate(("View Channels, Read Message History", "Send Messages, also in threads", "Create commands")):
        drawing.text(214, 222 + number * 20, f"✓  {right}", size=13)
    drawing.button(440, 274, "Authorize", w=106)
    drawing.mark(2, 440, 274, 106, 32)
    return drawing.svg()


def _window(height: int, title: str, address: str) -> Drawing:
    drawing = Drawing(WIDTH, height, title)
    drawing.box(0.5, 0.5, WIDTH - 1, height - 1, fill="#f8fafc", stroke=LINE, r=10)
    for number in range(3):
        drawing.parts.append(f'<circle cx="{20 + number * 18}" cy="22" r="5" fill="{LINE}"/>')
    drawing.box(86, 9, WIDTH - 106, 26, fill=SIDE, r=13)
    drawing.text(104, 26, address, size=12, fill=GREY)
    drawing.parts.append(f'<path d="M0 {TOP} H{WIDTH}" stroke="{LINE}"/>')
    return drawing


def _page(title: str, chosen: str, height: int = 324) -> Drawing:
    """A page of the application's settings; the menu entry that leads to it is the first thing to click."""
    drawing = _window(height, title, f"{_PORTAL}/…")
    drawing.parts.append(f'<path d="M190 {TOP} V{height}" stroke="{LINE}"/>')
    for number, entry in enumerate(_MENU):
        y = TOP + 18 + number * 34
        if entry == chosen:
            drawing.box(14, y, 150, 30, fill="#e0e7ff")
        drawing.text(26, y + 20, entry, size=13, fill=ACCENT if entry == chosen else GREY, bold=entry == chosen)
        if entry == chosen and "Intent" not in title:
            drawing.mark(1, 14, y, 150, 30)
    return drawing
