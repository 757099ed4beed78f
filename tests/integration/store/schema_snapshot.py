"""store/schema.sql, the schema for readers: made by replaying the migrations, never by hand.

python -m tests.integration.store.schema_snapshot     # writes it anew
"""

import subprocess
import tempfile
from pathlib import Path

from forewarn.postgres_home import find_account, find_binaries
from tests.support.databases import Database, embedded_server

SNAPSHOT = Path(__file__).parents[3] / "store" / "schema.sql"
HEADING = "-- The schema that store/migrations give, on plain PostgreSQL. Generated; `make schema` writes it anew.\n"


def dump_schema(database: Database) -> str:
    """The schema of a migrated database as SQL, the same text for the same schema."""
    pg_dump = str(find_binaries(find_account()) / "pg_dump")
    command = [pg_dump, "--schema-only", "--no-owner", "--schema=public", database.owner_url]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Comments and settings of the dump's own session say nothing of the schema; \restrict carries a random word.
    kept = [line for line in dumped.splitlines() if line and not line.startswith(("--", "SET ", "SELECT ", "\\"))]
    return HEADING + "\n".join(kept) + "\n"


def main() -> None:
    """Writes the snapshot."""
    with tempfile.TemporaryDirectory(prefix="forewarn-schema-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded_server(folder) as server, server.fresh_database() as database:
            SNAPSHOT.write_text(dump_schema(database), "utf-8")


if __name__ == "__main__":
    main()
