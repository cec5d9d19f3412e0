-- Scalar indexes on metadata fields. Filters are answered from columns in memory, so that an index is
-- what was asked for and no more.

CREATE TABLE scalar_indexes (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    field         TEXT    NOT NULL,
    method        TEXT    NOT NULL CHECK (method IN ('btree', 'gin')),
    -- What stands in the brackets of WITH (…); empty for defaults.
    options       TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (collection_id, name)
) STRICT;

-- Those that collections were made with.
INSERT INTO scalar_indexes (collection_id, name, field, method, options, created_at)
    SELECT DISTINCT c.id, substr(c.name || '_' || f.value, 1, 59) || '_idx', f.value, 'btree', '',
        c.created_at
    FROM collections c, json_each(c.settings, '$.metadata_indices') f;

-- The jobs that made them. Each had succeeded when its id was returned.
CREATE TABLE index_jobs (
    id            TEXT    PRIMARY KEY,
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX index_jobs_by_collection ON index_jobs (collection_id);

-- Which other namespaces a collection was opened to.
CREATE TABLE grants (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    namespace_id  INTEGER NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    kind          TEXT    NOT NULL CHECK (kind IN ('rw', 'ro')),
    PRIMARY KEY (collection_id, namespace_id)
) STRICT;

CREATE INDEX grants_by_namespace ON grants (namespace_id);

-- One upload of rows a collection at a time.
CREATE UNIQUE INDEX rows_jobs_unfinished ON jobs (collection_id)
    WHERE kind = 'rows' AND state IN ('queued', 'cancelling');
