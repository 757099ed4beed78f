"""Accounts of devices at the broker, and the codes by which devices fetch theirs."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.shapes.pages import Sent, Shape


class AccountShape(Shape):
    """A device's account at the broker, without its secret."""

    username: str = Field(examples=["INF-0017"])
    method: Literal["password", "certificate"]
    state: Literal["ACTIVE", "REVOKED"]
    rotated_at: datetime = Field(description="When its present password or method was set.")
    revoked_at: datetime | None


class NewCredentials(Sent):
    """How the device will sign in."""

    method: Literal["password", "certificate"] = Field(
        "password", description="`certificate`: mutual TLS, the serial as common name; there is no password."
    )


class CredentialsShape(Shape):
    """What a device signs in with."""

    username: str = Field(examples=["INF-0017"])
    password: str | None = Field(
        description="Shown this once; null with a certificate, and empty in a repeated answer."
    )
    rotated: bool = Field(description="There was an account before, whose password holds no longer.")


class NewClaimCode(Sent):
    """For how long a claim code is good."""

    hours: float = Field(168.0, ge=0.1, le=8784.0)


class ClaimCodeShape(Shape):
    """A code by which the device fetches its account, once."""

    serial: str
    code: str = Field(description="Shown this once; empty in a repeated answer.")
    expires_at: datetime


class Claim(Sent):
    """What a device exchanges for its account."""

    serial: str = Field(min_length=1, max_length=64, examples=["INF-0017"])
    code: str = Field(min_length=1, max_length=64, examples=["7K2M-9QZX-0AHT-V4CW-1RPE-8NDB-6JGY"])
