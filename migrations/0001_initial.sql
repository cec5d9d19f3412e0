-- Everything the server knows. Times are microseconds since 1970 (UTC); digests are raw SHA-256
-- bytes; JSON columns hold text. Kept to what a PostgreSQL store can say too, WITHOUT the types.

CREATE TABLE instances (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,
    -- The account of the call that first initialised the instance; compared only when the
    -- configuration lists no manager accounts.
    manager_account TEXT    NOT NULL,
    manager_hash    TEXT    NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE namespaces (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id   INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (instance_id, name)
) STRICT;

-- Ids are never used twice (AUTOINCREMENT): the index in memory is found by them.
CREATE TABLE collections (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id        INTEGER NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    name                TEXT    NOT NULL,
    embedding_model     TEXT    NOT NULL,
    dimension           INTEGER NOT NULL,
    metric              TEXT    NOT NULL,
    -- [[name, sql type], …] in the order of declaration.
    columns             TEXT    NOT NULL,
    -- What else the creator asked for, as JSON, to be listed again.
    settings            TEXT    NOT NULL,
    -- Which encoder made the vectors; another one's are never mixed in.
    encoder_name        TEXT    NOT NULL,
    encoder_fingerprint TEXT    NOT NULL,
    created_at          INTEGER NOT NULL,
    UNIQUE (namespace_id, name)
) STRICT;

-- Search is exact with or without an index; this is what was asked for.
CREATE TABLE vector_indexes (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    kind          TEXT    NOT NULL,
    settings      TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (collection_id, kind)
) STRICT;

-- One row a stored original. A row exists only when its bytes do.
CREATE TABLE objects (
    sha256       BLOB    PRIMARY KEY,
    size         INTEGER NOT NULL,
    content_type TEXT    NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

-- What came by the object form, until it expires.
CREATE TABLE uploads (
    object_key TEXT    PRIMARY KEY,
    sha256     BLOB    NOT NULL REFERENCES objects (sha256),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX uploads_by_object ON uploads (sha256);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

CREATE TABLE documents (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    file_name     TEXT    NOT NULL,
    sha256        BLOB    NOT NULL REFERENCES objects (sha256),
    md5           BLOB    NOT NULL,
    size          INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    modified_at   INTEGER NOT NULL,
    UNIQUE (collection_id, file_name)
) STRICT;

CREATE INDEX documents_by_object ON documents (sha256);

-- The rows that are searched. `key` is the row's name in the index and is never used twice.
CREATE TABLE chunks (
    key             INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id   INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    document_id     INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    id              TEXT    NOT NULL,
    content         TEXT    NOT NULL,
    loader_metadata TEXT    NOT NULL,
    metadata        TEXT    NOT NULL,
    -- Little-endian f32, unit length.
    vector          BLOB    NOT NULL,
    UNIQUE (collection_id, id)
) STRICT;

CREATE INDEX chunks_by_document ON chunks (document_id);

-- No state says "running": a job is `queued` until it has ended, so a crash leaves it queued.
-- `claim` names the run of the server that works on it; another run's claim means nothing.
CREATE TABLE jobs (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    namespace_id    INTEGER NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    -- NULL once the collection was deleted under an unfinished job; its name stays, so that the
    -- job can still be asked for.
    collection_id   INTEGER REFERENCES collections (id) ON DELETE SET NULL,
    collection_name TEXT    NOT NULL,
    file_name       TEXT    NOT NULL,
    source_kind     TEXT    NOT NULL CHECK (source_kind IN ('object', 'url')),
    source_url      TEXT,
    source_sha256   BLOB    REFERENCES objects (sha256),
    metadata        TEXT    NOT NULL,
    dry_run         INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('queued', 'cancelling', 'success', 'failed', 'cancelled')),
    claim           TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    failure         TEXT,
    usage_entries   INTEGER NOT NULL DEFAULT 0,
    usage_tokens    INTEGER NOT NULL DEFAULT 0,
    chunk_sha256    BLOB    REFERENCES objects (sha256),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX jobs_unfinished ON jobs (collection_id, seq) WHERE state IN ('queued', 'cancelling');
CREATE INDEX jobs_by_source ON jobs (source_sha256) WHERE source_sha256 IS NOT NULL;
CREATE INDEX jobs_by_chunk_file ON jobs (chunk_sha256) WHERE chunk_sha256 IS NOT NULL;
