"""Errors as RFC 9457 problems: what was wrong, with which field, and what the caller may do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One field of the request that could not be used."""

    field: str = Field(description="Path of the field: body, query or header name.", examples=["reason"])
    detail: str = Field(description="What is wrong with it.", examples=["must not be empty"])
    code: str = Field("", description="The same as one word, where there is one.", examples=["too_long"])
    limit: float | None = Field(None, description="What the code is about: at most so many characters.", examples=[200])


class ProblemShape(BaseModel):
    """An RFC 9457 problem."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="Names the kind of problem; never changes.", examples=["urn:forewarn:problem:not-found"]
    )
    title: str = Field(examples=["There is no such record."])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No device has the serial SN-0042, or it is not yours to see."])
    instance: str = Field(
        description="Id of this request, as in the logs and the audit.", examples=["urn:forewarn:request:0f2c"]
    )
    errors: list[FieldError] = Field(default_factory=list, description="Fields at fault, where there are any.")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem."""

    status: int
    code: str
    title: str


BAD_REQUEST = Kind(400, "bad-request", "The request cannot be understood.")
UNAUTHENTICATED = Kind(401, "unauthenticated", "Sign in, or send a valid token.")
FORBIDDEN = Kind(403, "forbidden", "Your roles do not allow this.")
CSRF = Kind(403, "csrf", "The request did not come from this site's own page.")
PASSWORD_CHANGE_REQUIRED = Kind(403, "password-change-required", "Choose a new password first.")
SECOND_FACTOR_REQUIRED = Kind(403, "second-factor-required", "Set up a second factor first.")
NOT_FOUND = Kind(404, "not-found", "There is no such record.")
NO_SUCH_PATH = Kind(404, "no-such-path", "There is nothing at this address.")
METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "This address does not take that method.")
GUARD_REFUSED = Kind(409, "guard-refused", "A rule of the record's life-cycle refuses this change.")
UPLOAD_TIMEOUT = Kind(408, "upload-timeout", "The file came too slowly.")
ALREADY_EXISTS = Kind(409, "already-exists", "There is a record of that name already.")
ROW_VERSION_CONFLICT = Kind(412, "row-version-conflict", "The record was changed in the meantime.")
TOO_LARGE = Kind(413, "too-large", "The request is larger than this installation takes.")
UNSUPPORTED_MEDIA_TYPE = Kind(415, "unsupported-media-type", "The body must be JSON (application/json).")
UNSUPPORTED_CONTENT = Kind(415, "unsupported-content", "The content of the file is not of a kind that is taken.")
INVALID = Kind(422, "invalid", "A field of the request cannot be used.")
KEY_REUSED = Kind(422, "idempotency-key-reused", "This Idempotency-Key was used for another request.")
PRECONDITION_REQUIRED = Kind(428, "precondition-required", "Say which version you are changing: If-Match is missing.")
TOO_MANY_ATTEMPTS = Kind(429, "too-many-attempts", "Too many attempts; wait before the next one.")
ATTACHMENT_DAMAGED = Kind(500, "attachment-damaged", "The file is not what was stored; restore it from the backup.")
INTERNAL = Kind(500, "internal", "Something failed here; it was logged under the request's id.")
UNAVAILABLE = Kind(503, "unavailable", "The service cannot answer now; try again soon.")


class ProblemError(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail or kind.title
        self.errors = [FieldError(field=field, detail=text) for field, text in (fields or {}).items()]
        self.headers = dict(headers or {})
        self.extra = extra

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.kind.status

    def to_json(self, request_id: str) -> dict[str, Any]:
        """The problem document."""
        document: dict[str, Any] = {
            "type": f"urn:forewarn:problem:{self.kind.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": f"urn:forewarn:request:{request_id}",
            **self.extra,
        }
        if self.errors:
            document["errors"] = [error.model_dump(exclude_defaults=True) for error in self.errors]
        return document


def render_problem(problem: ProblemError, request_id: str) -> Response:
    """The problem as `application/problem+json`."""
    return Response(
        orjson.dumps(problem.to_json(request_id), default=str),
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


def not_found(what: str, name: str, field: str) -> ProblemError:
    """The same answer for what is not there and for what the caller may not see."""
    return ProblemError(
        NOT_FOUND, f"No {what} is called {name!r}, or it is not yours to see.", fields={field: "not found"}
    )


_DESCRIPTIONS = {
    400: "The request cannot be understood.",
    401: "No valid session or token.",
    403: "The caller's roles lack `permission`, or a check of the page's origin failed.",
    404: "No such record, or not the caller's to see.",
    408: "The file came too slowly.",
    409: "A rule refuses it; `guard` names which.",
    412: "The record moved on; `current` says to which version and by whom.",
    413: "The body is too large.",
    415: "The body is not JSON; of a file, its content is not of a kind that is taken.",
    422: "A field cannot be used; `errors` names it.",
    428: "`If-Match` is missing.",
    429: "Too many attempts; see `Retry-After`.",
    500: "A failure here, logged under the request's id.",
    503: "The database cannot be reached, or too many streams are open; see `Retry-After`.",
}


def declare(*statuses: int, ok: dict[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems; `ok` adds to what is said of 200."""
    declared: dict[int | str, dict[str, Any]] = {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}},
        }
        for status in statuses
    }
    return declared if ok is None else {200: ok, **declared}


def find_kind(status: int) -> Kind:
    """The general kind of problem of an HTTP status."""
    general = {
        400: BAD_REQUEST,
        401: UNAUTHENTICATED,
        403: FORBIDDEN,
        404: NO_SUCH_PATH,
        405: METHOD_NOT_ALLOWED,
        413: TOO_LARGE,
        415: UNSUPPORTED_MEDIA_TYPE,
        422: INVALID,
    }
    known = general.get(status)
    if known is not None:
        return known
    phrase = HTTPStatus(status).phrase
    return Kind(status, phrase.lower().replace(" ", "-"), phrase)
