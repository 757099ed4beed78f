"""How long what is measured and counted is kept; it is changed by a request that two people decide."""

from typing import Annotated

from api.auth import Caller, require
from api.kept_overview import KeptLine, load_kept_overview
from api.shapes.retention import KeptClassShape, RetentionShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.retention import FEWEST_DAYS
from domain.roles import Permission

router = make_router(tag="retention")
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]


@router.get("/retention", summary="What is kept how long")
def read_retention(caller: Reader, pool: Database) -> RetentionShape:
    """Days, space, the oldest that is there and what goes next, by class. A change is asked for by
    `POST /approval-requests` of kind `retention_change` with `{"days": …}`; another person grants it."""
    with pool.connection() as conn:
        overview = load_kept_overview(conn, now().date())
    return RetentionShape(
        items=[_shape(line, caller) for line in overview.lines],
        readings_size=overview.amounts.readings_bytes,
        day_size=overview.amounts.day_bytes,
    )


def _shape(line: KeptLine, caller: Caller) -> KeptClassShape:
    row = line.row
    return KeptClassShape(
        kept=line.kept,
        days=row.days,
        decided_days=row.decided_days,
        decided_at=row.decided_at,
        request=row.request,
        reason=row.reason if caller.customer_id is None else "",  # of all customers' data: it stays in the house
        setting_days=row.setting_days,
        applied_days=row.applied_days,
        applied_at=row.applied_at,
        fewest_days=FEWEST_DAYS[line.kept],
        size=line.bytes_,
        is_estimate=line.is_estimate,
        series=line.series,
        oldest=line.oldest,
        next_removal=line.next_removal,
    )
