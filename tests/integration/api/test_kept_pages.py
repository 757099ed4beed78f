"""What a phone may keep for times without a network: a technician's pages, marked with session and end."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

from api.console.static_files import BUNDLES, asset_url
from domain.roles import Role
from tests.support.http_api import Api


def test_jobs_are_marked_with_their_session_and_other_pages_are_not(api: Api) -> None:
    api.add_user("tom", Role.TECHNICIAN)
    first, second = api.sign_in("tom"), api.sign_in("tom")
    marks = []
    for session in (first, first, second):
        answer = api.client.get("/my", headers=session.reading)
        assert answer.headers["cache-control"] == "no-store"
        until = datetime.fromisoformat(answer.headers["x-kept-until"])
        assert timedelta(hours=11) < until - datetime.now(UTC) <= timedelta(hours=12)
        facts = re.search(r'id="kept-facts">(.*?)</script>', answer.text)
        assert facts is not None
        assert json.loads(unescape(facts[1]))["owner"] == answer.headers["x-kept-owner"]
        assert f'data-owner="{answer.headers["x-kept-owner"]}"' in answer.text
        marks.append(answer.headers["x-kept-owner"])
    assert marks[0] == marks[1] != marks[2]
    for address in ("/work-orders", "/account"):
        assert "x-kept-owner" not in api.client.get(address, headers=first.reading).headers
    # A way to the sign-in is nothing to keep.
    assert "x-kept-owner" not in api.client.get("/my", follow_redirects=False).headers


def test_the_worker_is_asked_for_anew_names_files_that_are_there_and_tells_of_nobody(api: Api) -> None:
    answer = api.client.get("/my-worker.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    facts = json.loads(answer.text.partition("\n")[0].removeprefix("const FACTS = ").rstrip(";"))
    assert asset_url("job.js") in facts["files"]
    for address in facts["files"]:
        file = api.client.get(address)
        assert (file.status_code, "immutable" in file.headers["cache-control"]) == (200, True)


def test_a_bundle_is_its_files_one_after_the_other(api: Api) -> None:
    for name, parts in BUNDLES.items():
        text = api.client.get(asset_url(name)).text
        places = [text.index(api.client.get(f"/static/{part}").text) for part in parts]
        assert places == sorted(places)
        assert api.client.head(f"/static/{name}").status_code == 200
        assert api.client.post(f"/static/{name}").status_code == 405
