"""Words of the other language in a text: English in Chinese and Chinese in English, without codes and proper names."""

import re
from collections.abc import Iterable

from domain.roles import Permission

# Products, browsers, keys, statistics and commands, which engineers write in Latin letters in every language.
PROPER = (
    "Forewarn", "Webhook", "Sparkplug B", "FDR q", "Chrome", "Linux", "Shift", "Ctrl", "Cookie",
    "https", "gzip", "zstd", "Unicode", "Punycode",
)  # fmt: skip
COMMAND = re.compile(r"forewarn [a-z]+(?: [a-z]+)*(?: FILE(?:\.csv)?)?")
# A code beside the name that the reader knows, and a zone of time.
BESIDE = re.compile(r"（[a-z0-9_.:-]+）")
ZONE = re.compile(r"(?:Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_/]+")
# A code, a number, a version, an address: a word with a digit in it.
CODE = re.compile(r"[^\s\u3000-\u9fff\uff00-\uffef]*\d[^\s\u3000-\u9fff\uff00-\uffef]*")
# A key of a record or a program: words with bars between, be they small as of a monitor or large as of a state.
KEY = re.compile(r"(?<![\w./:-])(?!FOREWARN_)(?:[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[A-Z]+(?:_[A-Z0-9]+)+)(?![\w=/-])")
# Rights are words with a point between, as addresses are.
RIGHTS = frozenset(permission.value for permission in Permission)
POINTED = re.compile(r"(?<![\w./@-])[a-z_]+(?:\.[a-z_]+)+(?![\w/@-])")
BRACKETED = re.compile(r" ?[（(][A-Za-z0-9_.:-]+[)）]")
WORDS = re.compile(r"[A-Za-z][A-Za-z'’_.-]*(?: [A-Za-z][A-Za-z'’_.-]*)*")
CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")


def find_english_words(text: str, excused: Iterable[str] = ()) -> list[str]:
    """Runs of two or more Latin words, and words with four or more small letters on end, that nothing excuses."""
    for pattern in (BESIDE, COMMAND):
        text = pattern.sub("·", text)
    for word in sorted({*PROPER, *excused}, key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", "·", text)
    for pattern in (ZONE, CODE):
        text = pattern.sub("·", text)
    return [run for run in WORDS.findall(text) if " " in run or re.search("[a-z]{4}", run)]


def find_keys(text: str, excused: Iterable[str] = ()) -> list[str]:
    """Keys of records and codes of rights in a text of any language, but those in brackets behind a name.

    A key of one word cannot be told from a word; a setting of the installation is called by its name.
    """
    text = BRACKETED.sub("", text)
    rights = [found for found in POINTED.findall(text) if found in RIGHTS]
    for right in rights:
        text = text.replace(right, "")
    return rights + [found for found in KEY.findall(text) if found not in set(excused)]


def find_chinese_words(text: str) -> list[str]:
    """Runs of Chinese characters or Chinese punctuation."""
    return CHINESE.findall(text)
