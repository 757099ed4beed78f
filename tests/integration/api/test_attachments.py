"""Files of work orders by REST: told by their content, bounded, kept under their hash, given out as mere bytes."""

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from api.problems import ProblemError
from api.routes.attachments import _receive
from domain.roles import Role
from forewarn.commands.audit import find_problems
from store.attachment_files import IncomingFile, find_place, remove_abandoned
from store.attachments import load_hashes
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, find_errors, running_api
from tests.support.waiting import wait_until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
PDF = b"%PDF-1.7\n" + b"x" * 100
CSV = "time,flow\n10:00,0.9\n11:00,zweifelhaft µL\n".encode()
LIMIT = 64 * 1024


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Api]:
    register(database.url, PROFILE, make_devices(2, customers=2))
    with running_api(
        database.url, attachments=tmp_path / "files", max_attachment_bytes=LIMIT, max_body_bytes=4096
    ) as running:
        yield running


@pytest.fixture
def code(api: Api) -> str:
    body = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks."}
    return str(api.post("/work-orders", headers=api.token(Role.DISPATCHER), json=body).json()["code"])


def attach(api: Api, code: str, content: bytes, headers: dict[str, str], **more: str) -> httpx.Response:
    query: dict[str, Any] = {"kind": "PHOTO", "file_name": "leak.png"} | more
    sent = {"Content-Type": "application/octet-stream", **headers}
    return api.post(f"/work-orders/{code}/attachments", params=query, content=content, headers=sent)


def test_a_file_comes_in_and_goes_out_as_it_was(api: Api, code: str) -> None:
    tom = api.token(Role.TECHNICIAN)
    made = attach(api, code, PNG, tom, sha256=hashlib.sha256(PNG).hexdigest(), captured_at="2025-11-20T10:00:00Z")
    assert made.status_code == 201, made.text
    file = made.json()
    assert (file["media_type"], file["size"], file["visibility"]) == ("image/png", len(PNG), "INTERNAL")
    assert file["sha256"] == hashlib.sha256(PNG).hexdigest()
    place = api.settings.attachments / file["sha256"][:2] / file["sha256"]
    assert place.read_bytes() == PNG
    assert place.stat().st_mode & 0o777 == 0o400
    assert list((api.settings.attachments / "incoming").iterdir()) == []
    again = attach(api, code, PNG, tom)
    assert (again.status_code, again.json()["id"]) == (200, file["id"])
    got = api.get(f"/work-orders/{code}/attachments/{file['id']}/content", headers=tom)
    assert got.content == PNG
    headers = got.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == "attachment; filename=\"leak.png\"; filename*=UTF-8''leak.png"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"
    shown = api.get(f"/work-orders/{code}/attachments/{file['id']}/content?inline=true", headers=tom)
    assert shown.headers["content-disposition"].startswith("inline;")
    pdf = attach(api, code, PDF, tom, kind="TEST_REPORT", file_name="../../etc/prüf\u202efdp.exe").json()
    assert pdf["file_name"] == "prüffdp.exe.pdf"
    saved = api.get(f"/work-orders/{code}/attachments/{pdf['id']}/content?inline=true", headers=tom)
    assert saved.headers["content-disposition"].startswith("attachment;")
    table = attach(api, code, CSV, tom, kind="DEVICE_LOG", file_name="flow.csv").json()
    assert table["media_type"] == "text/csv"
    assert [a["id"] for a in api.get(f"/work-orders/{code}/attachments", headers=tom).json()["items"]] == [
        file["id"],
        pdf["id"],
        table["id"],
    ]


REFUSED = [
    (b"", "x.png", "empty_file"),
    (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "x.svg", "markup"),
    (b"\xef\xbb\xbf \n<!DOCTYPE html><script>alert(1)</script>", "x.txt", "markup"),
    (b"PK\x03\x04" + b"\x00" * 100, "x.zip", "unknown_format"),
    (b"MZ\x90\x00", "x.png", "unknown_format"),
    (b"text\x00with a hole", "x.txt", "unknown_format"),
    (b"half a character \xc3", "x.txt", "unknown_format"),
]


def test_what_is_not_taken(api: Api, code: str) -> None:
    tom = api.token(Role.TECHNICIAN)
    for content, name, guard in REFUSED:
        refused = attach(api, code, content, tom, file_name=name)
        assert (refused.status_code, refused.json()["guard"]) == (415, guard), name
    assert [p for p in api.settings.attachments.rglob("*") if p.is_file()] == []


def test_size_hash_type_and_rights_are_bounds(api: Api, code: str) -> None:
    tom = api.token(Role.TECHNICIAN)
    assert attach(api, code, PNG + b"x" * (LIMIT - len(PNG)), tom).status_code == 201
    assert attach(api, code, PNG + b"y" * LIMIT, tom).status_code == 413

    def drip() -> Iterator[bytes]:  # without a length: only counting tells
        for _ in range(LIMIT // 1024 + 2):
            yield b"z" * 1024

    path = f"/work-orders/{code}/attachments?kind=PHOTO&file_name=z.png"
    assert api.post(path, content=drip(), headers=tom).status_code == 413
    assert set(find_errors(attach(api, code, PDF, tom, sha256="0" * 64))) == {"sha256"}
    lying = attach(api, code, PDF, {**tom, "Content-Type": "image/png"})
    assert (lying.status_code, lying.json()["guard"]) == (415, "type_differs")
    form = api.post(path, files={"file": ("x.png", PNG + b"w" * 5000)}, headers=tom)
    assert form.status_code == 413  # a form has the limit of every body
    assert set(find_errors(attach(api, code, PDF, tom, kind="EXE"))) == {"kind"}
    assert attach(api, code, PDF, tom, captured_at="2999-01-01T00:00:00Z").json()["guard"] == "time_in_future"
    assert attach(api, code, PDF, api.token(Role.ENGINEER)).status_code == 403
    assert attach(api, "WO-2026-999999", PDF, tom).status_code == 404
    assert [p.parent.name for p in api.settings.attachments.rglob("*") if p.is_file()] != ["incoming"]
    assert len([p for p in api.settings.attachments.rglob("*") if p.is_file()]) == 1


def test_a_customer_sees_what_is_meant_for_it(api: Api, code: str) -> None:
    tom = api.token(Role.TECHNICIAN)
    inside = attach(api, code, PNG, tom, note="sloppy work").json()
    outside = attach(api, code, PDF, tom, kind="SERVICE_REPORT", visibility="CUSTOMER", note="for you").json()
    own, other = api.token(Role.CUSTOMER, customer="T-C0"), api.token(Role.CUSTOMER, customer="T-C1")
    (seen,) = api.get(f"/work-orders/{code}/attachments", headers=own).json()["items"]
    assert (seen["id"], seen["uploaded_by"], seen["captured_by"], seen["note"]) == (outside["id"], None, None, None)
    path = f"/work-orders/{code}/attachments"
    assert api.get(f"{path}/{outside['id']}/content", headers=own).content == PDF
    assert api.get(f"{path}/{inside['id']}/content", headers=own).status_code == 404
    assert api.get(f"{path}/{outside['id']}/content", headers=other).status_code == 404
    assert attach(api, code, PNG, own).status_code == 403


def test_a_damaged_file_is_not_given_out_and_mended_by_the_same_content(api: Api, code: str) -> None:
    tom = api.token(Role.TECHNICIAN)
    file = attach(api, code, PNG, tom).json()
    place = api.settings.attachments / file["sha256"][:2] / file["sha256"]
    path = f"/work-orders/{code}/attachments/{file['id']}/content"
    place.chmod(0o600)
    place.write_bytes(PNG[:-1] + b"!")
    broken = api.get(path, headers=tom)
    assert (broken.status_code, broken.json()["type"]) == (500, "urn:forewarn:problem:attachment-damaged")
    place.unlink()
    assert api.get(path, headers=tom).status_code == 500
    assert attach(api, code, PNG, tom).status_code == 200
    assert api.get(path, headers=tom).content == PNG


def test_what_ends_halfway_or_never_leaves_nothing_behind(api: Api, code: str, tmp_path: Path) -> None:
    tom = api.token(Role.TECHNICIAN)
    head = f"POST /api/v1/work-orders/{code}/attachments?kind=PHOTO&file_name=x.png HTTP/1.1\r\nHost: x\r\n"
    head += f"Authorization: {tom['Authorization']}\r\nContent-Length: 60000\r\n\r\n"
    incoming = api.settings.attachments / "incoming"
    with socket.create_connection((api.client.base_url.host, api.client.base_url.port or 80)) as sender:
        sender.sendall(head.encode() + PNG)
        wait_until(lambda: incoming.is_dir() and any(incoming.iterdir()), what="the file to come in")
    wait_until(lambda: not any(incoming.iterdir()), what="the file to be given up")

    async def never() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": []}, never)
    file = IncomingFile(tmp_path / "other")
    with pytest.raises(ProblemError) as late:
        asyncio.run(_receive(request, file, "x.png", 0.01, ""))
    assert (late.value.status, late.value.kind.code) == (408, "upload-timeout")
    file.discard()
    assert list((tmp_path / "other").rglob("*")) == [tmp_path / "other" / "incoming"]


def test_every_file_is_compared_at_once(api: Api, code: str, tmp_path: Path) -> None:
    tom = api.token(Role.TECHNICIAN)
    kept, lost = (attach(api, code, content, tom).json()["sha256"] for content in (PNG, PDF))
    folder = api.settings.attachments
    with open_connection(api.settings.database_url, application="test") as conn:
        hashes = list(load_hashes(conn, batch=1))
    assert hashes == sorted([kept, lost])
    assert [problem for _, problem in find_problems(folder, hashes)] == ["", ""]
    (folder / lost[:2] / lost).unlink()
    assert {sha256 for sha256, problem in find_problems(folder, hashes) if problem} == {lost}
    abandoned = folder / "incoming" / "abandoned"
    abandoned.write_bytes(b"x")
    assert remove_abandoned(folder, 3600) == 0
    assert remove_abandoned(folder, -1) == 1
    with pytest.raises(ValueError, match="SHA-256"):
        find_place(folder, "../../etc/passwd")
