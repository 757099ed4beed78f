-- Lists as people like to look at them: the query of a page's address under a name of their own.
CREATE TABLE saved_view (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
    page text NOT NULL CHECK (page IN ('inbox', 'work-orders')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
    query text NOT NULL CHECK (length(query) <= 2000),
    is_default boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    UNIQUE (user_id, page, name)
);
CREATE UNIQUE INDEX saved_view_default ON saved_view (user_id, page) WHERE is_default;

GRANT SELECT, INSERT, DELETE ON saved_view TO forewarn_app;
GRANT UPDATE (name, query, is_default, row_version, updated_at) ON saved_view TO forewarn_app;
GRANT USAGE ON SEQUENCE saved_view_id_seq TO forewarn_app;

COMMENT ON TABLE saved_view IS 'Filters of a list under a name, of one account. They choose among what the account may see, and widen nothing.';
COMMENT ON COLUMN saved_view.page IS 'The list that it is a view of.';
COMMENT ON COLUMN saved_view.query IS 'What stands behind the question mark of its address; only what the list knows.';
COMMENT ON COLUMN saved_view.is_default IS 'The list opens with it when nothing else is asked for.';
COMMENT ON COLUMN saved_view.updated_at IS 'When it was last named, changed or made the default one.';
