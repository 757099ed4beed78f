"""Signatures of people on records."""

from datetime import datetime

from pydantic import Field

from api.shapes.pages import Shape


class SignatureShape(Shape):
    """One signature, and whether it still stands for what the record says."""

    printed_name: str
    signer: str = Field(description="Name of the account.")
    meaning: str
    signed_at: datetime
    entity_version: int = Field(description="Of the record; a reopened one counts up.")
    content_sha256: str = Field(description="Of the canonical JSON that was signed.")
    valid: bool
    invalid_reason: str = Field(
        description="Empty, `content_changed`, `earlier_version` (of a reopened record), `content_unknown` (signed "
        "before contents were kept) or `record_gone`."
    )
    changed_fields: tuple[str, ...] = Field(description="Of what was signed, where that is known.")
