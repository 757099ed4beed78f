"""Who acts, by which right, and what of it is kept: audit events and signatures."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something now: a person, a token or a program, with the role and the permission that allow it."""

    name: str
    role: str
    permission: str
    user_id: int | None = None  # None: a program or a token
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change to be recorded. `before` and `after` hold what changed, by field."""

    action: str  # noun.verb, e.g. workorder.assigned
    entity: str
    entity_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One recorded change, a link of the chain."""

    seq: int
    at: datetime
    actor: str
    role: str
    permission: str
    action: str
    entity: str
    entity_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str
    request_id: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A person's signature on one version of a record; the caller has just checked the person's password again."""

    signer_id: int
    printed_name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class RecordedSignature:
    """A signature as it was given, and whether what was signed is still what the record says."""

    id: int
    entity_version: int
    content_sha256: str
    signer_id: int
    signer: str  # name of the account
    printed_name: str
    meaning: str
    signed_at: datetime
    valid: bool
    # "", content_changed, earlier_version, content_unknown (signed before contents were kept) or record_gone
    invalid_reason: str
    changed_fields: tuple[str, ...]  # of what was signed, where that is known


def find_canonical_text(content: Mapping[str, Any]) -> str:
    """A record's canonical JSON: keys in order, no spaces, instants in UTC. The same for a record that was just made
    and for the same record read back from the database."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_write_value)


def find_content_sha256(content: Mapping[str, Any]) -> str:
    """The hex SHA-256 of a record's canonical JSON: what a signature binds to."""
    return hashlib.sha256(find_canonical_text(content).encode()).hexdigest()


def find_changed_fields(signed: str, content: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the fields in which the content differs from the canonical text that was signed, in order."""
    was, now = json.loads(signed), json.loads(find_canonical_text(content))
    missing = object()
    return tuple(name for name in sorted({*was, *now}) if was.get(name, missing) != now.get(name, missing))


def _write_value(value: Any) -> str:
    # As the database gives it back from JSON.
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    return str(value)


def find_event_hash(parts: Sequence[str | None]) -> str:
    """The hash of an audit event from its thirteen fields as text, the last of them the hash before.

    Each part is preceded by its length in bytes, so that no two events give the same text. The database's function
    `audit_text` says the same in SQL; `store.audit.verify_chain` compares the two.
    """
    texts = [part or "" for part in parts]
    return hashlib.sha256(",".join(f"{len(t.encode())}:{t}" for t in texts).encode()).hexdigest()
