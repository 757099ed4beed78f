"""What a technician's phone keeps for times without a network: the list of jobs and each of them.

A worker answers for these addresses alone. What is kept is one session's, ends with it, and says as of when it is.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC
from functools import cache
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from api.console.language import load_catalogue
from api.console.page import KEYS_COOKIE, THEME_COOKIE, View, find_owner
from api.console.static_files import asset_url, read_asset

router = APIRouter(include_in_schema=False)
WORKER_PATH = "/my-worker.js"
# All that a kept page asks for.
FILES = ("console.css", "base.js", "chart.js", "job.js", "favicon.svg")
MOST_KEPT = 40


@cache
def find_release() -> str:
    """Names the files of this release: another file, another name."""
    known = "".join((*(asset_url(name) for name in FILES), read_asset("job_worker.js").decode()))
    return hashlib.sha256(known.encode()).hexdigest()[:12]


@cache
def build_worker() -> bytes:
    """The worker's script; a browser that finds another one than it has changes over by itself."""
    facts = {"release": find_release(), "files": [asset_url(name) for name in FILES], "most": MOST_KEPT}
    return f"const FACTS = {json.dumps(facts)};\n".encode() + read_asset("job_worker.js")


@router.get(WORKER_PATH)
def show_worker() -> Response:
    """The worker's script. It holds addresses of files and nothing of anybody."""
    return Response(build_worker(), media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def mark_kept(view: View, response: Response) -> Response:
    """The page with what its keeper must know: whose it is, until when at the latest, of which release."""
    session = view.person.session
    if session is not None:
        response.headers["X-Kept-Owner"] = find_owner(view.person)
        # Not until it idles: who works where there is no network asks the service nothing for hours.
        response.headers["X-Kept-Until"] = session.expires_at.astimezone(UTC).isoformat(timespec="seconds")
        response.headers["X-Kept-Release"] = find_release()
    return response


def find_kept(view: View, jobs: Iterable[tuple[str, int]] = ()) -> dict[str, Any]:
    """What kept_pages.js is told: what it says, and the jobs to keep by address and by what they look like now."""
    cookies = view.request.cookies
    shown = [view.language, view.zone_choice, cookies.get(THEME_COOKIE, ""), cookies.get(KEYS_COOKIE, "")]
    look = hashlib.sha256("|".join(shown).encode()).hexdigest()[:8]
    words = load_catalogue(view.language)
    said = {key.removeprefix("kept."): text for key, text in words.items() if key.startswith("kept.")}
    return {
        "worker": WORKER_PATH,
        "owner": find_owner(view.person),
        "jobs": [{"path": f"/my/{code}", "version": f"{version}-{look}"} for code, version in jobs][:MOST_KEPT],
        "say": said,
    }
