"""Sites: where devices stand."""

from typing import Annotated

from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.preconditions import make_etag
from api.problems import declare, not_found
from api.shapes.master_data import SiteRecordShape
from api.shapes.pages import Page
from api.state import Database
from api.versioned_router import make_router
from domain.roles import Permission
from store.sites import SiteFilter, load_site_record, load_site_records

router = make_router("/sites", tag="installed base")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]


@router.get("", summary="List sites")
def list_sites(
    caller: Reader,
    pool: Database,
    customer: str | None = None,
    region: str | None = None,
    q: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[SiteRecordShape]:
    """Sites by code; `q` is looked for in code, name, department and customer. A customer's users see its own."""
    keys = read_cursor(cursor, [str])
    wanted = SiteFilter(caller.customer_id, None, customer, region, q)
    with pool.connection() as conn:
        found = load_site_records(conn, wanted, after=str(keys[0]) if keys else "", limit=limit + 1)
    items = [SiteRecordShape.model_validate(_choose(site)) for site in found[:limit]]
    return Page(items=items, next_cursor=make_cursor([items[-1].code]) if len(found) > limit else None)


@router.get("/{code}", summary="One site", responses=declare(404))
def read_site(code: str, caller: Reader, pool: Database, response: Response) -> SiteRecordShape:
    """The site, with whose it is and by which calendar it is served."""
    with pool.connection() as conn:
        site = load_site_record(conn, code, customer_id=caller.customer_id)
    if site is None:
        raise not_found("site", code, "code")
    response.headers["ETag"] = make_etag(site.row_version)
    return SiteRecordShape.model_validate(_choose(site))


def _choose(site: object) -> dict[str, object]:
    return {name: getattr(site, name) for name in SiteRecordShape.model_fields}
