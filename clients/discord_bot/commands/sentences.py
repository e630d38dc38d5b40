"""What people read in answer to a command, all of it: short, friendly, without addresses, keys or causes. Pure.

`<t:…:R>` is Discord's way to show a moment; it reads "in 20 minutes" to everybody in their own language.
"""

ONLY_IN_SERVERS = "That works in a server only."
ONLY_ADMINS = "That is for people who may manage this server. Ask one of them."
NOT_LINKED = "This server has not given me a voice yet. Somebody who manages it says `/troupe link`."
WENT_WRONG = "That went wrong, and it is not your fault. Whoever runs me finds the reason in my log."
NO_SUCH_COMMAND = "I do not know that command any more. Wait a minute, or restart Discord, and look again."
MAY_NOT = "I lack a right for that here. `/health` says which."
SILENT_HERE = "I was told to keep quiet here. `/troupe channel` or `/quiet 0` changes that."
TOO_FAST = "That was a lot at once. Give me a moment and try again."
NO_ANSWER_HERE = "I have not said anything here that I remember."
UNKNOWN_ANSWER = "I do not remember that message as an answer of mine."

# --- /troupe ------------------------------------------------------------------------------------------------------------

LINK_TITLE = "Give this server its voice"
LINK_KEY = "Key"
LINK_KEY_HINT = "It begins with tr_. Whoever runs Troupe makes one: troupe keys create"
LINK_COMMUNITY = "Community"
LINK_COMMUNITY_HINT = "Needed only where the key is for more than one."
UNLINKED = "Done: I have deleted this server's key and stay silent here. Revoke it too, with `troupe keys revoke`, if nobody else uses it."
NOTHING_LINKED = "There is nothing to unlink: this server has not linked a key."


def linked(community: str) -> str:
    return (
        f"This server speaks as **{community}** from now on. Mention me in a channel and see.\n"
        "`/troupe channel` says where and when I speak, `/troupe settings` how, and `/health` whether all is well."
    )


NONE = "none"
"""What an admin writes to take a choice back."""
QUIET_HOURS_UNREAD = "I read quiet hours as `22:00-07:00 Europe/Paris`, or `none`."
_MODES = {
    "off": "I am silent in {channel}, whoever asks.",
    "mentions": "In {channel} I speak when I am mentioned or replied to.",
    "lively": "In {channel} I speak when I am mentioned or replied to, and now and then of myself.",
}


def channel_mode(channel: int, mode: str) -> str:
    return _MODES[mode].format(channel=f"<#{channel}>")


def channel_chance(percent: float, minutes: float) -> str:
    if not percent:
        return "Of myself I say nothing: the chance is 0 %."
    return f"Of a hundred messages I answer about {percent:g} unasked, and none in the {minutes:g} minutes after my last word."


def channel_wake_words(words: list[str]) -> str:
    return f"These words call me: {', '.join(words)}."


def channel_quiet_hours(start: str, end: str, zone: str) -> str:
    return f"From {start} to {end} ({zone}) I speak only when asked."


FILTER_OFF = "Filter: off. I say whatever comes to my mind; I still ping nobody."
FILTER_MILD = "Filter: mild. Slurs, telling people to die and invitations to other servers are left out; links are shown as they are."
FILTER_STRICT = "Filter: strict. Slurs, swearing, what is sexual and every link are left out."
STREAMS = "You see my answer while I make it."
STREAMS_NOT = "You see my answer when it is done."
PAUSES = "A long answer comes in several messages, with pauses as a person makes them."
PAUSES_NOT = "A long answer comes in several messages at once."
NAMES_TRAINED = "My voice is told who speaks by the invented names that it learnt, where I know them."
NAMES_DISPLAY = "My voice is told who speaks by the names that you see."
LEARNS = "What is said to me here, what I answer and what you make of it may go into the next voice. `/optout` keeps a person out of it."
LEARNS_NOT = "No words from here are kept to learn from; only how many reactions my answers got."


def late_words(own: str | None) -> str:
    return "When an answer takes long I say so in words of mine." if own is None else f"When an answer takes long I say: {own}"


# --- /health ------------------------------------------------------------------------------------------------------------

NEEDED_RIGHTS = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "read_message_history": "Read Message History",
}
"""What the bot needs in a channel, as Discord calls it in the channel's settings."""


def rights_missing(names: list[str]) -> str:
    return f"I lack {_and(names)} here. Give it to me in the channel's settings, Permissions."


GATEWAY_READY = "My voice is awake."
GATEWAY_ASLEEP = "My voice sleeps; the first word wakes it within seconds."
GATEWAY_WAKING = "My voice is waking up."
GATEWAY_AWAY = "I cannot find my voice at the moment: Troupe does not answer. Whoever runs me should look at `troupe status`."
KEY_REFUSED = "Troupe does not take this server's key any more. Somebody who manages this server gives me a new one with `/troupe link`."
GATEWAY_UNWELL = "My voice is not well. Whoever runs me finds the reason with `troupe status`."


def speaks_as(model: str) -> str:
    return f"I speak as **{model}** here."


def voice_gone(model: str) -> str:
    return f"There is no voice `{model}` any more. Somebody who manages this server chooses another one with `/persona choose`."


def heard_from_discord(seconds: float) -> str:
    return f"Discord answers me within {seconds * 1000:.0f} ms."


# --- /persona -----------------------------------------------------------------------------------------------------------

SAME_VOICE = "That is the same voice twice. Choose two versions."
REVEAL = "Show who is who"
NOT_YOUR_COMPARISON = "Whoever asked for this ends it, or somebody who manages this server."
OUT_CANNOT_VOTE = "You opted out, so what you think of my answers is not kept. `/optin` undoes it."


def persona(model: str, adapter: str | None, canary: int | None, share: float) -> str:
    lines = [f"I speak as **{adapter or model}** here{' (whatever is live)' if '@' not in model else ''}."]
    if canary is not None:
        tried = f"answers {share:g} % of the conversations" if share else "answers when it is chosen"
        lines.append(f"Version {canary} is being tried out as the canary: it {tried}.")
    return "\n".join(lines)


def speaks_now_as(model: str) -> str:
    return f"From my next answer on I speak as **{model}**{'' if '@' in model else ', whatever version is live'}."


def no_such_voice(model: str) -> str:
    return f"There is no voice `{model}`. `/persona show` says which there are."


def voted(letter: str) -> str:
    return f"Noted: {letter}. Press the other one if you change your mind."


def revealed(votes: list[tuple[str, int]]) -> str:
    return "\n".join(
        f"**{letter}** was {name}: {count} {'vote' if count == 1 else 'votes'}." for letter, (name, count) in zip("AB", votes, strict=True)
    )


# --- /roll, /why --------------------------------------------------------------------------------------------------------

NOT_YOUR_ANSWER = "Another take is for whoever asked me, or for somebody who manages this server."
ENOUGH_TAKES = "I have said all that I can say to that. Ask me something else."
NO_OTHER_TAKE = "I have no other take: the message that I answered is gone, or I may not read it any more."


def another_take(link: str) -> str:
    return f"Here is another take: {link}"


def spoke_as(adapter: str | None) -> str:
    if adapter is None:
        return "Which version of my voice said that, I was not told."
    return "The base said that, without any community's voice." if adapter == "base" else f"**{adapter}** said that."


def learnt_from(messages: int, published: str | None) -> str:
    on = f", and is there since {published[:10]}" if published else ""
    return (
        f"It learnt its style from {messages:,} messages of this community that people liked{on}; what is said here it sees only to answer."
    )


def took(seconds: float, queue: float | None, wake: float | None) -> str:
    parts = [f"{wake:.1f} s for my voice to wake" if wake else "", f"{queue:.1f} s in line" if queue and queue >= 0.05 else ""]
    spent = " and ".join(part for part in parts if part)
    return f"It took {seconds:.1f} s{f', of which {spent}' if spent else ''}."


def was_take(number: int) -> str:
    return f"It was take {number} of the same question."


def request(request_id: str) -> str:
    return f"Whoever runs me finds it in the log as `{request_id}`."


# --- /budget ------------------------------------------------------------------------------------------------------------

UNLIMITED = "There is no limit on how much I may talk."


def tokens_today(used: int, limit: int, resets_at: int) -> str:
    return f"Today: {used:,} of {limit:,} tokens ({_percent(used, limit)}); anew <t:{resets_at}:R>."


def money_this_month(used: str, limit: str, currency: str, resets_at: int) -> str:
    return f"This month: {used} of {limit} {currency} ({_percent(float(used), float(limit))}); anew <t:{resets_at}:R>."


def at_once(what: str, remaining: int, limit: int) -> str:
    return f"{what} a minute: {remaining:,} of {limit:,} left."


def budget_of(community: str) -> str:
    return f"What **{community}** may use:"


# --- /quiet -------------------------------------------------------------------------------------------------------------

LOUD_AGAIN = "I am back."
WAS_NOT_QUIET = "I was not quiet here."
CHANNEL_IS_QUIET = "I keep quiet in the whole channel that this thread is of: `/quiet 0` there brings me back."
HUSHED_FOR_LONG = "Somebody who manages this server wants me to be quiet here for long. Ask them to bring me back."


def quiet_until(moment: int) -> str:
    return f"I keep quiet here and am back <t:{moment}:R>. `/quiet 0` brings me back sooner."


def too_long_quiet(minutes: int) -> str:
    return f"{minutes} minutes is the longest that I keep quiet without somebody who manages this server asking for it."


# --- /optout, /optin, /forgetme -----------------------------------------------------------------------------------------

OPTED_OUT = (
    "From this moment I read none of your messages, in no server, and your reactions to mine do not count. What I kept with words of yours "
    "is deleted, and nothing of yours goes into what is learnt next. `/optin` undoes it."
)
OPTED_IN = "I read you again. Nothing that I deleted comes back."
NEVER_OUT = "You were not out: I read you as anybody."
FORGOTTEN = (
    "Done: your words and your reactions are gone from what I keep, I read nothing more of yours, and Troupe is told to learn nothing from "
    "you. A voice that has already learnt from you is for whoever runs Troupe to retrain: they find it with `troupe forget`."
)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _percent(used: float, limit: float) -> str:
    return f"{100 * used / limit:.0f} %" if limit else "all"
