"""The rule of two signatures: two people approve, neither wrote what they approve, and nobody signs twice. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from domain.audit import Signature

NEEDED = 2


class SigningGuard(StrEnum):
    """The rule that refused a signature; values are also values of the guards of the records that use it."""

    PERSON_NEEDED = "person_needed"
    SIGNATURE_MISSING = "signature_missing"
    MEANING_MISSING = "meaning_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    OWN_WORK = "own_work"
    SECOND_PERSON = "second_person"


@dataclass(frozen=True, slots=True)
class SigningRefusal:
    """Why a signature does not count: the guard, and a sentence for people."""

    guard: SigningGuard
    detail: str


def find_signing_refusal(
    signature: Signature | None,
    *,
    actor_id: int | None,
    author_ids: Collection[int],
    signed_by: Collection[int] = (),
) -> SigningRefusal | None:
    """The first rule that refuses the actor's signature, or None.

    Parameters
    ----------
    author_ids
        Who wrote any part of what is signed.
    signed_by
        Who has signed this same content already.
    """
    if actor_id is None:
        return SigningRefusal(SigningGuard.PERSON_NEEDED, "people sign; a token or a program does not")
    if signature is None:
        return SigningRefusal(SigningGuard.SIGNATURE_MISSING, "this is signed: give your password again")
    if not signature.meaning.strip():
        return SigningRefusal(SigningGuard.MEANING_MISSING, "a signature says what it means")
    if signature.signer_id != actor_id:
        return SigningRefusal(SigningGuard.SIGNER_IS_ANOTHER, "one signs for oneself alone")
    if actor_id in author_ids:
        return SigningRefusal(SigningGuard.OWN_WORK, "nobody approves what he wrote himself")
    if actor_id in signed_by:
        return SigningRefusal(SigningGuard.SECOND_PERSON, "you have signed this already; a second person must")
    return None
