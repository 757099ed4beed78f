"""MQTT topic filters: which topics one matches, and which filters another covers.

Source: MQTT 3.1.1 (OASIS, 2014), 4.7.
"""


def is_topic(text: str) -> bool:
    """It can be published on: not empty, no wildcard, no NUL."""
    return bool(text) and not any(character in text for character in "+#\0")


def matches_topic(topic_filter: str, topic: str) -> bool:
    """The topic is one that a subscription to this filter gets; wildcards at the start never match `$…` (4.7.2)."""
    return is_topic(topic) and covers_filter(topic_filter, topic)


def covers_filter(outer: str, inner: str) -> bool:
    """Every topic that `inner` matches is matched by `outer` as well; False for what is no well-formed filter."""
    if not _is_filter(inner) or not _is_filter(outer):
        return False
    ours, theirs = outer.split("/"), inner.split("/")
    if theirs[0].startswith("$") and ours[0] in ("+", "#"):
        return False
    for place, level in enumerate(ours):
        if level == "#":
            return True
        if place >= len(theirs):
            return False
        their_level = theirs[place]
        # `a/#` also matches `a`, which `a/+` does not.
        if their_level == "#" or (level != "+" and level != their_level):
            return False
    return len(ours) == len(theirs)


def _is_filter(text: str) -> bool:
    levels = text.split("/")
    return (
        bool(text)
        and "\0" not in text
        and all(level in ("+", "#") or not ("+" in level or "#" in level) for level in levels)
        and "#" not in levels[:-1]
    )
