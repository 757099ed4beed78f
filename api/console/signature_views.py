"""Signatures on a page: who signed what when, and whether it still stands for what the record says."""

from collections.abc import Iterable
from dataclasses import dataclass

from api.console.instants import Instant
from api.console.page import View
from domain.audit import RecordedSignature


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature; `why` says why it holds no more."""

    name: str
    meaning: str
    at: Instant | None
    valid: bool
    why: str


def find_signature_lines(view: View, signatures: Iterable[RecordedSignature]) -> list[SignatureLine]:
    """The signatures in the order given."""
    return [
        SignatureLine(
            view.t("code.beside", name=s.printed_name, code=s.signer),
            s.meaning,
            view.when(s.signed_at),
            s.valid,
            _say_why(view, s),
        )
        for s in signatures
    ]


def _say_why(view: View, signature: RecordedSignature) -> str:
    if signature.valid:
        return ""
    why = view.name("signature_invalid", signature.invalid_reason)
    if not signature.changed_fields:
        return why
    fields = view.t("list.comma").join(view.name("signed_field", name) for name in signature.changed_fields)
    return view.t("signature.changed", why=why, fields=fields)
