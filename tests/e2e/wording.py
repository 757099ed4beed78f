"""What a page says in the language that is not its own, as a raw key or, in Chinese, with a blank between two words:
all that is read or read aloud, but what is marked as data.

Templates mark with `translate="no"` what no language translates: codes, field names, what people or devices wrote.
What stands inside a sentence cannot be marked; what the seeds call their people, places and plans excuses it.
"""

import re

from playwright.sync_api import Page

from tests.e2e.configuration_seeding import CALENDAR, POLICY
from tests.e2e.quality_seeding import PEOPLE as QUALITY_PEOPLE
from tests.e2e.seeding import CUSTOMERS, PEOPLE
from tests.support.wording import find_chinese_words, find_english_words, find_keys

# In sentences, titles and lists of facts of the seeded records: who and what they are called.
SEEDED = (
    *(word for person in (*PEOPLE, *QUALITY_PEOPLE) for word in person[:2]),
    *(name for customer in CUSTOMERS for name in (customer[1], customer[3])),
    CALENDAR, POLICY, "setup", "main", "motor", "repair", "Nora Wolff", "Anna Weber", "Demo Medical",
    "Yearly safety check", "Christmas Eve", "Three returns in a month, all of this lot", "Fitted by me.",
    "Ticket desk", "Riverbank CMMS", "type-plate.png", "device_alarm", "warmth",
)  # fmt: skip
# That a day is off stands where its hours would.
APART = re.compile("[一-鿿]+ (?!休息)[一-鿿]+")
FIND_SPOKEN = """() => {
    const found = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (!node.parentElement.closest('script, style, textarea, [translate=no]')) found.push(node.data);
    }
    for (const name of ['aria-label', 'alt', 'placeholder', 'title', 'data-label'])
        for (const item of document.querySelectorAll(`[${name}]:not(form)`))
            if (!item.closest('[translate=no]')) found.push(item.getAttribute(name));
    return found.map((text) => text.trim().replace(/\\s+/g, ' ')).filter(Boolean);
}"""


def find_foreign(page: Page, language: str) -> list[str]:
    """Words of the other language, raw keys, and Chinese words that a blank keeps apart, on the page that is open, each
    with the text around it."""
    spoken: list[str] = page.evaluate(FIND_SPOKEN)
    found = {
        f"{page.url}: {run!r} in {text[:160]!r}"
        for text in spoken
        for run in (
            *(find_english_words(text, SEEDED) if language == "zh" else find_chinese_words(text)),
            *find_keys(text, SEEDED),
            *(APART.findall(text) if language == "zh" else ()),
        )
    }
    return sorted(found)
