"""What the handlers of one API process share, and how they reach it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends, Request

from api.attempts import AttemptLedger
from api.full_names import FullNames
from api.metrics import Metrics
from api.oidc.provider import Provider
from api.recent_answers import RecentAnswers
from api.settings import ApiSettings
from api.stream_hub import StreamHub
from store.pool import Pool


@dataclass(frozen=True, slots=True)
class ApiState:
    """One per process, at `app.state.forewarn`."""

    settings: ApiSettings
    pool: Pool
    attempts: AttemptLedger
    hub: StreamHub
    metrics: Metrics
    started_at: datetime
    provider: Provider | None = None  # where people sign in by OpenID Connect
    recent: RecentAnswers = field(default_factory=RecentAnswers)
    full_names: FullNames = field(default_factory=FullNames)


def find_state(request: Request) -> ApiState:
    """The state of the process that answers this request."""
    return cast(ApiState, request.app.state.forewarn)


def find_pool(request: Request) -> Pool:
    """The pool of database connections: `with pool.connection() as conn` is one transaction."""
    return find_state(request).pool


# Given within the loop: what is not `async` would go through a thread, which takes longer than to look it up.
async def give_state(request: Request) -> ApiState:
    """`find_state`, for routes."""
    return find_state(request)


async def give_pool(request: Request) -> Pool:
    """`find_pool`, for routes."""
    return find_pool(request)


State = Annotated[ApiState, Depends(give_state)]
Database = Annotated[Pool, Depends(give_pool)]


def now() -> datetime:
    """The time of this process, for expiries and locks; what is recorded has the database's."""
    return datetime.now(UTC)
