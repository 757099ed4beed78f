"""What every router of the API has in common: the version in front of its paths, and what it refuses."""

from fastapi import APIRouter, Depends

from api.known_parameters import refuse_unknown_parameters

PREFIX = "/api/v1"


def make_router(prefix: str = "", *, tag: str) -> APIRouter:
    """A router whose routes are complete as they stand in it, so that an application takes them as they are.

    Included into another router they would be worked out anew for each inclusion, and be looked for twice by each
    request.
    """
    return APIRouter(prefix=PREFIX + prefix, tags=[tag], dependencies=[Depends(refuse_unknown_parameters)])
