"""Presidio's pattern recognizers, set up for chat: without a language model, without network, and sparing what only looks like data.

A chat is full of scores, dates, versions and prices. Each recognizer here says what it leaves alone. The heavy one of two modules that
import Presidio; nothing imports it before somebody cleans a text.
"""

import ipaddress
import re
from collections.abc import Iterable

from adapters.curation.privacy.unseen import unseen

with unseen("torch", "transformers"):
    import tldextract
    from presidio_analyzer import LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult
    from presidio_analyzer.nlp_engine import NlpArtifacts
    from presidio_analyzer.predefined_recognizers import (
        CreditCardRecognizer,
        CryptoRecognizer,
        EmailRecognizer,
        EsNieRecognizer,
        EsNifRecognizer,
        FiPersonalIdentityCodeRecognizer,
        IbanRecognizer,
        InAadhaarRecognizer,
        InPanRecognizer,
        IpRecognizer,
        ItFiscalCodeRecognizer,
        KrRrnRecognizer,
        PhoneRecognizer,
        PlPeselRecognizer,
        SgFinRecognizer,
        UkNinoRecognizer,
        UsSsnRecognizer,
    )

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "SE", "BR", "IN", "AU", "JP")
"""Whose numbers are known without their country code; with one (+49 …) those of all countries are."""

# Snapshot of the public suffix list that the package brings: no download, no cache on the disk.
SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)

_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}", re.ASCII)
_SHORTEST_PHONE = 9
"""Digits, of one without its country's or its town's prefix. Shorter ones are more often ranges and years."""
_DECIMAL = re.compile(r"\d+[.,]\d+", re.ASCII)
_NO_PHONE_BEFORE = re.compile(r"(?:\d[.,:]|[$€£¥#=]\s?|\d\s?[-+*/x]\s?|isbn\W{0,3})\Z", re.IGNORECASE)
_NO_PHONE_AFTER = re.compile(r"\s?[:.,]\d|\s?[$€£¥%]")
_COUNTED = re.compile(r"1\d{9}|214748364[78]|429496729[56]", re.ASCII)
"""Seconds since 1970, and the largest numbers of 32 bits."""
_VERSION_BEFORE = re.compile(
    r"(?:\bv|[=<>~^]|version|build|patch|release|update|driver|firmware|chapter|section|§)\W{0,3}\Z", re.IGNORECASE
)


class OfflineEmails(EmailRecognizer):
    """The parent asks the network for the list of suffixes."""

    def validate_result(self, pattern_text: str) -> bool:
        return SUFFIXES(pattern_text).fqdn != ""


class ChatPhones(PhoneRecognizer):
    """Leaves dates, decimals, prices, sums, people who count, and the programmers' largest integers."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None) -> list[RecognizerResult]:
        found = super().analyze(text, entities, nlp_artifacts)  # type: ignore[arg-type]  # they are not looked at
        return [each for each in found if _is_phone(text, each.start, each.end)]


def _is_phone(text: str, start: int, end: int) -> bool:
    written = text[start:end]
    digits = "".join(each for each in written if each.isdecimal())
    if _DATE.search(written) or _DECIMAL.fullmatch(written) or _COUNTED.fullmatch(digits) or len(digits) < 2 * (len(written) - len(digits)):
        return False
    if len(digits) < _SHORTEST_PHONE and not written.startswith("+") and int(digits[0]) != 0:
        return False
    return not _NO_PHONE_BEFORE.search(text[max(0, start - 8) : start]) and not _NO_PHONE_AFTER.match(text, end)


class PublicAddresses(IpRecognizer):
    """Leaves versions, addresses of no particular machine (192.168.…, 127.0.0.1) and the well-known short ones (8.8.8.8, 1.2.3.4)."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None, regex_flags: int | None = None
    ) -> list[RecognizerResult]:
        found = super().analyze(text, entities, nlp_artifacts, regex_flags)
        return [
            each
            for each in found
            if _is_somebodys(text[each.start : each.end]) and not _VERSION_BEFORE.search(text[max(0, each.start - 12) : each.start])
        ]


def _is_somebodys(written: str) -> bool:
    address = ipaddress.ip_interface(written).ip
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and max(address.packed) > 9
    return address in _GLOBAL_UNICAST


_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

_WORD = r"[A-ZÀ-Þ][\w'’.-]{1,25}"
_STREET_KINDS = "Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd|Court|Crescent|Terrace|Square|Highway|Parkway"
_STREETS = (
    rf"\b\d{{1,5}}[A-Za-z]?\s(?:[NSEW]\.?\s)?(?:{_WORD}\s){{1,3}}(?:{_STREET_KINDS})\b\.?(?:,?\s(?:Apt|Unit|Suite|#)\.?\s?\w{{1,6}})?",
    r"\b[A-ZÄÖÜ][a-zäöüß-]{2,25}(?:straße|strasse|str\.|gasse|allee|platz|weg)\s\d{1,4}(?:\s?[a-z])?\b",
    rf"\b(?:{_WORD}\s){{0,2}}{_WORD}-?(?:\s|-)Straße\s\d{{1,4}}\s?[a-z]?\b",
    rf"\b\d{{1,4}}(?:\s?bis|\s?ter)?,?\s(?:rue|avenue|boulevard|impasse|chemin|allée)\s(?:(?:de|du|des|la|le|l')\s?){{0,2}}{_WORD}(?:\s{_WORD})?",
    rf"\b(?:[Cc]alle|[Cc]arrer|[Aa]venida|[Vv]ia|[Rr]ua)\s(?:(?:de|del|da|do|la|las|los)\s){{0,2}}{_WORD}(?:\s{_WORD})?,?\s\d{{1,4}}\b",
)
_SPOKEN = r"phone|cell|mobile|whatsapp|telegram|tel|number(?:\sis)?|(?:call|text|ring)\sme(?:\s(?:at|on))?"
_SPOKEN_PHONE = rf"(?<=\b(?:{_SPOKEN})\W{{1,3}})\d[\d -]{{5,14}}\d(?![\d.,])"
_PLACE = r"(?<![\d.])[-+]?\d{1,2}\.\d{4,},\s{0,2}[-+]?\d{1,3}\.\d{4,}(?![\d.])"
_ENDS = r"(?:com|net|org|edu|gov|de|fr|uk|es|it|nl|ru|br|io|me|ch|at|pl)\b"
_PROVIDERS = "gmail|googlemail|hotmail|outlook|live|yahoo|ymail|proton|protonmail|icloud|gmx|web|aol|mail|yandex|fastmail|posteo"
_SPELT_EMAILS = (
    rf"\b[\w.+-]{{1,64}}\s?(?:\[at\]|\(at\)|\{{at\}})\s?[\w-]{{1,63}}\s?(?:\[dot\]|\(dot\)|\{{dot\}}|\sdot\s|\.)\s?{_ENDS}",
    rf"\b[\w.+-]{{1,64}}\sat\s(?:{_PROVIDERS})(?:\sdot\s|\s?\.){_ENDS}",
)
_ETHEREUM, _MAC = r"\b0x[0-9a-fA-F]{40}\b", r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b"
_SNOWFLAKE = r"(?<![\w.])\d{17,19}(?![\w.])"


def own(entity: str, patterns: Iterable[str], *, ignore_case: bool = False) -> PatternRecognizer:
    """A recognizer of Presidio's with our patterns."""
    made = [Pattern(f"{entity} {number}", pattern, 0.6) for number, pattern in enumerate(patterns)]
    return PatternRecognizer(entity, patterns=made, global_regex_flags=re.IGNORECASE if ignore_case else 0, name=entity)


def emails() -> list[LocalRecognizer]:
    return [OfflineEmails()]


def spelt_emails() -> list[LocalRecognizer]:
    return [own("EMAIL_ADDRESS", _SPELT_EMAILS, ignore_case=True)]


def long_numbers() -> list[LocalRecognizer]:
    """What has at least seven digits."""
    spoken = own("PHONE_NUMBER", [_SPOKEN_PHONE], ignore_case=True)
    plain = [CreditCardRecognizer(), ChatPhones(supported_regions=REGIONS), IbanRecognizer()]
    national = [UsSsnRecognizer(), InAadhaarRecognizer(), KrRrnRecognizer(), PlPeselRecognizer(), FiPersonalIdentityCodeRecognizer()]
    lettered = [EsNifRecognizer(), EsNieRecognizer(), SgFinRecognizer(), ItFiscalCodeRecognizer()]
    return [*plain, *national, *lettered, own("PLACE", [_PLACE]), own("ID", [_SNOWFLAKE]), spoken]


def short_numbers() -> list[LocalRecognizer]:
    """What may have fewer."""
    return [own("STREET", _STREETS), UkNinoRecognizer(), InPanRecognizer()]


def machines() -> list[LocalRecognizer]:
    return [PublicAddresses(), own("MAC_ADDRESS", [_MAC])]


def wallets() -> list[LocalRecognizer]:
    return [CryptoRecognizer(), own("CRYPTO", [_ETHEREUM])]
