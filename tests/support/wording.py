"""Words of the other language in a text: English in Chinese and Chinese in English, without codes and proper names."""

import re
from collections.abc import Iterable

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


def find_chinese_words(text: str) -> list[str]:
    """Runs of Chinese characters or Chinese punctuation."""
    return CHINESE.findall(text)
