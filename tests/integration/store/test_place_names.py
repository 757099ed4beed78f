"""Names of customers and sites by code: nobody is told the name of a place that is not his."""

from store.place_names import PlaceNames, load_place_names
from tests.support.databases import Database
from tests.support.service_world import open_world


def test_an_account_of_one_customer_is_told_the_names_of_its_own_places_alone(database: Database) -> None:
    customers, sites = ["C-1", "C-2", "C-9", None, ""], ["S-1", "S-2", "C-1"]
    with open_world(database.url) as world:
        conn = world.conn
        world.add_site("S-1", "C-1")
        world.add_site("S-2", "C-2")
        row = conn.execute("SELECT id FROM customer WHERE code = 'C-1'").fetchone()
        assert row is not None
        ours = load_place_names(conn, customers=customers, sites=sites, customer_id=None)
        assert ours == PlaceNames({"C-1": "Hospital of S-1", "C-2": "Hospital of S-2"}, {"S-1": "S-1", "S-2": "S-2"})
        own = load_place_names(conn, customers=customers, sites=sites, customer_id=row[0])
        assert own == PlaceNames({"C-1": "Hospital of S-1"}, {"S-1": "S-1"})
        assert load_place_names(conn, customers=[None], customer_id=None) == PlaceNames()
