"""What many pages show is looked up once for all, at a pace, and each page is told what it has not been told."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from api.change_news import Audience, News
from api.shared_views import SharedView, Shown
from domain.change_position import Position, Snapshot
from store.change_log import Change, ChangeBatch

AUDIENCE = Audience(frozenset({"work_order"}), 7)


def make_news(entity: str = "work_order", customer_id: int | None = 7) -> News:
    change = Change(1, 1, datetime(2026, 11, 22, 9, tzinfo=UTC), entity, "WO-2026-000001", 3, customer_id)
    begin, end = Position(Snapshot(1, 1)), Position(Snapshot(2, 2))
    return News(ChangeBatch(begin, end.seen, [change], end))


class Desk:
    """Streams that show one view of `rows`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api.shared_views.PACE_S", 0.0)
        monkeypatch.setattr("api.shared_views.LOOK_S", 0.0)
        self.rows = b"1"
        self.looks = 0
        self.told: defaultdict[int, list[bytes]] = defaultdict(list)
        self.view = SharedView(Shown("key", AUDIENCE, self.load), lambda: 1)

    def load(self) -> bytes:
        self.looks += 1
        if self.rows == b"broken":
            raise ValueError
        return self.rows

    def join(self, name: int) -> None:
        self.view.join(name, self.told[name].append)

    async def wait_for_looks(self, number: int) -> None:
        async with asyncio.timeout(30):
            while self.looks < number or self.view.is_busy:
                await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_one_look_tells_all_and_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    for name in range(200):
        desk.join(name)
    await desk.wait_for_looks(1)
    assert desk.looks == 1
    assert all(told == [b"event: rows\ndata: 1\n\n"] for told in desk.told.values())
    for number, (rows, tells) in enumerate(((b"1", 1), (b"2", 2)), start=2):
        desk.rows = rows
        desk.view.hear(make_news())
        await desk.wait_for_looks(number)
        assert {len(told) for told in desk.told.values()} == {tells}
    desk.join(200)
    await desk.wait_for_looks(4)
    assert desk.told[200] == [b"event: rows\ndata: 2\n\n"]
    assert {len(desk.told[name]) for name in range(200)} == {2}, "they know"
    for name in range(201):
        desk.view.leave(name)
    assert desk.view.is_unseen
    desk.view.close()


@pytest.mark.asyncio
async def test_news_of_others_make_nobody_look_and_a_failed_look_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch)
    desk.rows = b"broken"
    desk.join(1)
    await desk.wait_for_looks(1)
    desk.rows = b"1"
    for news in (make_news("device"), make_news(customer_id=8), make_news(customer_id=None)):
        desk.view.hear(news)
        assert not desk.view.is_busy
    assert (desk.looks, desk.told[1]) == (1, [])
    desk.view.hear(make_news())
    await desk.wait_for_looks(2)
    assert len(desk.told[1]) == 1
    desk.view.close()
