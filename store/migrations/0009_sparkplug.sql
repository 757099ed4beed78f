-- Sparkplug B: where the conversation with each edge node stands, and which ingest process leads it.

-- All but `births` changes with every message; births are kept beside the row, where an unchanged one is not written again.
CREATE TABLE sparkplug_edge (
    group_id text NOT NULL,
    edge_id text NOT NULL,
    epoch bigint NOT NULL,
    is_alive boolean NOT NULL,
    bd_seq bigint,
    former_bd_seq bigint,
    seq smallint,
    births_due boolean NOT NULL,
    asked_us bigint NOT NULL,
    asks integer NOT NULL,
    recent bytea NOT NULL,
    births bytea NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (group_id, edge_id)
) WITH (fillfactor = 70);
ALTER TABLE sparkplug_edge ALTER COLUMN births SET STORAGE EXTERNAL;

CREATE TABLE sparkplug_owner (
    is_the_only boolean PRIMARY KEY DEFAULT true CHECK (is_the_only),
    term bigint NOT NULL DEFAULT 0,
    writer text NOT NULL DEFAULT '',
    since timestamptz NOT NULL DEFAULT now()
);
INSERT INTO sparkplug_owner DEFAULT VALUES;

GRANT SELECT ON sparkplug_edge, sparkplug_owner TO forewarn_app;
GRANT INSERT, UPDATE ON sparkplug_edge TO forewarn_app;
GRANT UPDATE (term, writer, since) ON sparkplug_owner TO forewarn_app;

COMMENT ON TABLE sparkplug_edge IS 'Where the conversation with each Sparkplug edge node stands; written with the readings that it explains.';
COMMENT ON COLUMN sparkplug_edge.epoch IS 'Counts births and gaps: what was declared in an earlier one is not believed.';
COMMENT ON COLUMN sparkplug_edge.bd_seq IS 'bdSeq of the last birth; a death with another one is not its death.';
COMMENT ON COLUMN sparkplug_edge.seq IS 'seq of the last message, 0 to 255.';
COMMENT ON COLUMN sparkplug_edge.asked_us IS 'When a rebirth was last asked for, in microseconds since 1970; asks: how often in a row.';
COMMENT ON COLUMN sparkplug_edge.recent IS 'Digests of the last messages, 8 bytes each.';
COMMENT ON COLUMN sparkplug_edge.births IS 'JSON: names, aliases, data types and units that node and devices declared when they were born.';
COMMENT ON TABLE sparkplug_owner IS 'One row: which ingest process reads Sparkplug. It holds an advisory lock as well; the term counts the changes.';
