"""docs/reference/data-dictionary.md, made from the schema itself.

python -m tests.integration.store.data_dictionary     # writes it anew
"""

import tempfile
from pathlib import Path

from store.pool import open_connection
from tests.support.databases import Database, embedded_server

DICTIONARY = Path(__file__).parents[3] / "docs" / "reference" / "data-dictionary.md"
HEADING = """# Data dictionary

Every table of the store with its columns. Generated from the schema by `make schema`; the meaning of states and codes
stands in [ticket rules](ticket-rules.md), [topics](topics.md) and [profile format](profile.md).
"""
LOAD_COLUMNS = """
    SELECT c.relname, coalesce(obj_description(c.oid), ''), a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull,
        coalesce(col_description(c.oid, a.attnum), '')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY c.relname, a.attnum
"""


def describe_schema(database: Database) -> str:
    """The dictionary of a migrated database, as Markdown."""
    lines = [HEADING]
    current = ""
    with open_connection(database.owner_url, application="dictionary") as conn:
        for table, meaning, column, kind, required, note in conn.execute(LOAD_COLUMNS):
            if table != current:
                current = table
                lines.append(f"\n## {table}\n\n{meaning}\n\n| column | type | required | |\n|---|---|---|---|")
            lines.append(f"| {column} | {kind} | {'yes' if required else ''} | {note} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the dictionary."""
    with tempfile.TemporaryDirectory(prefix="forewarn-schema-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded_server(folder) as server, server.fresh_database() as database:
            DICTIONARY.parent.mkdir(parents=True, exist_ok=True)
            DICTIONARY.write_text(describe_schema(database), "utf-8")


if __name__ == "__main__":
    main()
