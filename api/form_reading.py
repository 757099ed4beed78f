"""How a form is read: as large as the edge lets it in, with as many fields as the largest form of the console has."""

from fastapi import Request
from starlette.datastructures import FormData

# The edge bounds the whole body, before anything is read. A root cause with all its causes and their evidence has a few
# thousand fields.
MOST_FIELDS = 20_000
MOST_BYTES_OF_ONE = 1 << 30


async def read_form(request: Request) -> FormData:
    """The fields of the body; what comes after the first time is what was read then."""
    return await request.form(max_fields=MOST_FIELDS, max_part_size=MOST_BYTES_OF_ONE)
