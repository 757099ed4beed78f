"""People, tokens, and who one is oneself."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.shapes.pages import Instant, Sent, Shape
from domain.roles import Role
from store.sessions import OpenSession

AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Me(Shape):
    """Who is calling."""

    name: str = Field(examples=["anna"])
    full_name: str
    roles: list[str]
    permissions: list[str]
    customer: str | None = Field(description="Code of the customer whose rows alone are seen; null: all.")
    must_change_password: bool
    csrf_token: str | None = Field(description="For X-CSRF-Token; null for tokens, which need none.")
    session_ends_at: datetime | None


class PasswordChange(Sent):
    """A new password for oneself."""

    current: str = Field(max_length=200)
    new: str = Field(max_length=200, description="12 characters or more.")


class UserShape(Shape):
    """One account."""

    name: str = Field(examples=["anna"])
    full_name: str = Field(examples=["Anna Weber"])
    roles: list[str] = Field(examples=[["technician"]])
    customer: str | None = Field(validation_alias="customer_code", description="For customer accounts: whose.")
    language: str
    status: Literal["ACTIVE", "DISABLED"]
    must_change_password: bool
    locked_until: datetime | None
    has_second_factor: bool
    is_linked: bool = Field(description="Tied to an identity at the OpenID Connect provider.")
    row_version: int
    created_at: datetime


class SessionShape(Shape):
    """One open session; its id opens nothing."""

    id: int
    is_current: bool = Field(description="The session that asks.")
    method: Literal["PASSWORD", "SECOND_FACTOR", "RECOVERY_CODE", "PROVIDER"] = Field(description="How it was opened.")
    address: str
    browser: str = Field(description="What the browser called itself.")
    created_at: datetime
    last_used_at: datetime = Field(description="To the minute.")
    expires_at: datetime

    @classmethod
    def make(cls, session: OpenSession, own: int | None) -> "SessionShape":
        """The session as it is told; `own` is the id of the one that asks."""
        return cls.model_validate({**asdict(session), "is_current": session.id == own})


class FactorShape(Shape):
    """One's second factor."""

    is_set_up: bool
    is_required: bool = Field(description="Everybody who signs in by a password here needs one.")
    set_up_at: datetime | None
    recovery_codes_left: int


class OwnPassword(Sent):
    """One's password, given again."""

    password: str = Field(max_length=200)


class FactorBegun(Shape):
    """What an app takes; shown this once, and asked for by nothing before a code confirms it."""

    secret: str = Field(description="Base32, to be typed.")
    address: str = Field(description="The same as an `otpauth://` address.")


class FactorCode(Sent):
    """A code that the app shows."""

    code: str = Field(max_length=40, examples=["123456"])


class RecoveryCodes(Shape):
    """Codes for who has lost the app, each good once; shown this once."""

    recovery_codes: list[str]


class NewUser(Sent):
    """An account to be made."""

    name: AccountName
    full_name: Line
    roles: list[Role] = Field(min_length=1, max_length=len(Role))
    customer: str | None = Field(None, description="Code of the customer; needed by the role `customer`.")
    language: Literal["", "en", "zh"] = ""


class UserMade(Shape):
    """The account, and the password that its owner must change; it is shown this once."""

    user: UserShape
    initial_password: str


class UserChange(Sent):
    """What is to change; what is left out stays."""

    full_name: Line | None = None
    roles: list[Role] | None = Field(None, min_length=1, max_length=len(Role))
    customer: str | None = None
    status: Literal["ACTIVE", "DISABLED"] | None = None
    reason: Line


class Reason(Sent):
    """Why."""

    reason: Line


class PasswordReset(Shape):
    """The password that the account's owner must change; it is shown this once."""

    initial_password: str


class TokenShape(Shape):
    """One API token, without its secret."""

    id: int
    name: str = Field(examples=["erp"])
    role: str = Field(examples=["integrator"])
    customer: str | None = Field(validation_alias="customer_code")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class NewToken(Sent):
    """A token to be made."""

    name: AccountName
    role: Role
    customer: str | None = Field(None, description="Code of the customer; needed by the role `customer`.")
    expires_at: Instant | None = None


class TokenMade(Shape):
    """The token with its secret, which is shown this once and kept only as a hash."""

    token: TokenShape
    secret: str = Field(examples=["fw_…"])
