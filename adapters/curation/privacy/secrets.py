"""Finds what opens a door: keys, tokens, passwords, private keys. With detect-secrets' patterns, and those that it does not have.

Nothing is verified, as that would ask the network with the secret in hand. Long laughter and keyboard smashing are no secrets: what has no
known shape must be long, mixed, and carry digits in several places.
"""

import re
from collections.abc import Iterable
from typing import Protocol

from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

from adapters.curation.privacy.plain_text import one_width
from adapters.curation.privacy.spans import Span

SECRET, INVITE = "[secret]", "[invite]"
_DETECTORS: tuple[type[RegexBasedDetector], ...] = (
    ArtifactoryDetector,
    AWSKeyDetector,
    AzureStorageKeyDetector,
    DiscordBotTokenDetector,
    GitHubTokenDetector,
    GitLabTokenDetector,
    MailchimpDetector,
    OpenAIDetector,
    PypiTokenDetector,
    SendGridDetector,
    SlackDetector,
    SquareOAuthDetector,
    StripeDetector,
    TelegramBotTokenDetector,
    TwilioKeyDetector,
)
_SAID = r"(?i:\b(?:password|passwd|passwort|pass|pwd|passcode|api[_ -]?key|secret[_ -]?key|token)\b)"
_OWN = (
    ("Private Key", r"-{5}BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-{5}(?:.*?-{5}END [A-Z0-9 ]{0,40}-{5}|.*)"),
    ("PuTTY Key", r"PuTTY-User-Key-File-\d.*"),
    ("Discord Webhook", r"https?://(?:\w{1,10}\.)?discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{1,20}/[\w-]{20,100}"),
    ("Discord Token", r"\bmfa\.[\w-]{60,100}|\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,40}\b"),
    ("Troupe Key", r"\btr_[0-9a-f]{4,16}_[\w-]{16,100}"),
    ("OpenAI Key", r"\bsk-(?:proj-|ant-|or-)?[\w-]{20,200}"),
    ("GitHub Token", r"\bgithub_pat_\w{22,255}"),
    ("Hugging Face Token", r"\bhf_[A-Za-z0-9]{30,60}\b"),
    ("Google Key", r"\bAIza[\w-]{35}"),
    ("AWS Secret", r"(?i:aws.{0,20}?(?:key|secret|token).{0,10}?)[0-9a-zA-Z/+]{40}\b"),
    ("NPM Token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("Password in a URL", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{1,100}:[^\s/@]{1,200}@[^\s]{1,200}"),
    ("JSON Web Token", r"\beyJ[\w-]{10,4000}={0,2}\.[\w-]{10,4000}={0,2}(?:\.[\w-]{0,1000}={0,2})?"),
    ("Password", rf"{_SAID}(?:\s{{1,2}}is)?\s{{0,2}}[:=]\s{{0,2}}(?=\S{{0,99}}[\d!$%^&*#])\S{{6,100}}"),
    ("Password in a sentence", rf"{_SAID}\s{{1,2}}is\s{{1,2}}(?=\S{{0,99}}\d)\S{{8,100}}"),  # hunter2 is a joke, and shorter
)
_INVITE = re.compile(r"(?:https?://)?(?:www\.)?(?:discord(?:app)?\.com/invite|discord\.(?:gg|me|io)|dsc\.gg)/[\w-]{2,40}", re.IGNORECASE)
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_SOME_SHAPE = re.compile(r"[\w-]{20}|-----|PuTTY|://|pass|pwd|token|key", re.IGNORECASE)
_DIGITS, _HEX = re.compile(r"\d+"), re.compile(r"[0-9a-f]{24,}|[0-9A-F]{24,}")
_WORD = re.compile(r"[A-Za-z]{6}")
_TURNS = re.compile(r"(?<=[a-z])[A-Z0-9+/]|(?<=[A-Z])[0-9+/]|(?<=[0-9+/])[A-Za-z]")
_TURNING = 0.34
"""Changes between small letters, capitals and the rest, a character; a capital that begins a word is one. Drawn ones have 0.2 to 0.7, names
in a program 0.2 to 0.3."""
_LETTER, _VOWEL = re.compile(r"[A-Za-z]"), re.compile(r"[aeiouyAEIOUY]")
_SOUNDING = 0.29
"""Share of vowels among letters: 0.23 where they are drawn, 0.4 in words."""
_ENTROPY = 3.5
"""Bits a character. 20 random letters and digits have 3.9 and more, English in one word 3.3, laughter 1 to 2."""


class _Entropy(Protocol):
    def calculate_shannon_entropy(self, data: str) -> float: ...


class SecretFinder:
    """Stateless; the patterns are compiled once."""

    def __init__(self) -> None:
        self._patterns: list[tuple[str, re.Pattern[str]]] = [
            (detector.secret_type, pattern) for detector in (made() for made in _DETECTORS) for pattern in _patterns(detector)
        ]
        self._patterns += [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _OWN]
        self._entropy: _Entropy = Base64HighEntropyString()

    def known(self, text: str) -> list[Span]:
        """What has the shape of a known kind of secret, and invitations. Spans may overlap."""
        plain = one_width(text)
        found = [Span(*match.span(), "invite", INVITE) for match in _INVITE.finditer(plain)]
        if not _SOME_SHAPE.search(plain):
            return found
        for kind, pattern in self._patterns:
            found += [Span(*match.span(), "secret", SECRET) for match in pattern.finditer(plain) if _believable(kind, match[0])]
        return found

    def random(self, text: str) -> list[Span]:
        """What looks as if a machine had drawn it. After links are gone: their paths look like that too."""
        return [Span(*match.span(), "secret", SECRET) for match in _LONG_WORD.finditer(one_width(text)) if self._is_drawn(match[0])]

    def _is_drawn(self, word: str) -> bool:
        digits = sum(each.isdecimal() for each in word)
        if _HEX.fullmatch(word):
            return 4 <= digits < len(word)
        return ((digits and _is_mixed(word)) or _is_licence(word)) and self._entropy.calculate_shannon_entropy(word) >= _ENTROPY


def _is_mixed(word: str) -> bool:
    """Letters of both cases that change without reason, or that nobody could say."""
    if word.lower() == word or word.upper() == word:
        return False
    turning, letters = len(_TURNS.findall(word)) / len(word), _LETTER.findall(word)
    return turning >= _TURNING or (turning >= _TURNING / 2 and len(_VOWEL.findall(word)) <= _SOUNDING * len(letters))


def _is_licence(word: str) -> bool:
    """`ABCDE-12F4G-…`: letters of one case, much mixed with digits, and no words."""
    digits = sum(each.isdecimal() for each in word)
    return len(word) / 6 <= digits <= len(word) * 2 / 3 and len(_DIGITS.findall(word)) >= 4 and not _WORD.search(word)


def _patterns(detector: RegexBasedDetector) -> Iterable[re.Pattern[str]]:
    return [pattern for pattern in detector.denylist if "aws" not in pattern.pattern]


def _believable(kind: str, written: str) -> bool:
    """Artifactory's pattern is two letters and a long word: shouting has no digits."""
    return kind != ArtifactoryDetector.secret_type or len(_DIGITS.findall(written)) >= 2
