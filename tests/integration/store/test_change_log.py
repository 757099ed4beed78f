"""Whatever transactions do side by side, a follower sees each committed change once, wherever it begins anew."""

from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import psycopg
import pytest

from domain.change_position import Position, parse_position
from store.change_log import Change, load_changes, load_now
from store.pool import Connection, open_connection
from tests.support.databases import Database

WRITERS = 5
LOG = "INSERT INTO change_log (entity, entity_id, row_version, customer_id) VALUES ('device', %s, 1, %s) RETURNING id"


def follow(conn: Connection, after: Position, limit: int) -> Iterator[tuple[Change, Position]]:
    """Every change that there is now, and where one stands with it; at the end of the last one, after all of it."""
    is_more = True
    while is_more:
        batch = load_changes(conn, after, limit=limit)
        conn.commit()
        yield from ((change, batch.find_position(change)) for change in batch.changes)
        is_more, after = batch.begin.part is not None or not batch.is_whole, batch.end


@pytest.mark.parametrize("seed", range(6))
def test_every_interleaving_of_commits_is_told_once(any_database: Database, seed: int) -> None:
    chance = Random(seed)
    with ExitStack() as stack:
        reader = stack.enter_context(open_connection(any_database.url, application="test"))
        writers = [stack.enter_context(psycopg.connect(any_database.owner_url)) for _ in range(WRITERS)]
        start = load_now(reader)
        reader.commit()
        written: dict[int, list[int]] = {n: [] for n in range(WRITERS)}
        committed: set[int] = set()
        told: list[tuple[Change, Position]] = []
        for _ in range(120):
            number = chance.randrange(WRITERS)
            match chance.choices(("write", "number", "commit", "undo", "savepoint", "look"), (6, 2, 3, 1, 1, 3))[0]:
                case "write":
                    row = writers[number].execute(LOG, (f"D{number}", None)).fetchone()
                    assert row is not None
                    written[number].append(row[0])
                case "number":  # a transaction takes its number long before it changes what is followed
                    writers[number].execute("SELECT pg_current_xact_id()")
                case "savepoint":  # what is logged below one that is undone never was
                    with writers[number].transaction(force_rollback=True):
                        writers[number].execute(LOG, (f"D{number}", None))
                case "commit":
                    writers[number].commit()
                    committed |= set(written[number])
                    written[number] = []
                case "undo":
                    writers[number].rollback()
                    written[number] = []
                case _:
                    told += follow(reader, told[-1][1] if told else start, chance.randint(1, 4))
                    assert {change.id for change, _ in told} == committed
        for writer in writers:
            writer.commit()
        committed |= {one for ids in written.values() for one in ids}
        told += follow(reader, told[-1][1] if told else start, 3)
        ids = [change.id for change, _ in told]
        assert len(ids) == len(committed), "each once"
        assert set(ids) == committed
        for number in range(WRITERS):
            own = [change.id for change, _ in told if change.entity_id == f"D{number}"]
            assert own == sorted(own), "of one record in their order"
        # Whoever comes back with any of the ids hears of the rest, as an id is text on its way.
        for place, (_, position) in enumerate(told):
            again = parse_position(str(position))
            assert again == position
            assert sorted(change.id for change, _ in follow(reader, again, 1000)) == sorted(ids[place + 1 :])
