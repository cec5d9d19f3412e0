-- Documents of text: how they were read and split, and the chunk files of the jobs that made them.

-- The API's names; NULL for images and for files that only UpsertChunks made.
ALTER TABLE documents ADD COLUMN loader TEXT;
ALTER TABLE documents ADD COLUMN splitter TEXT;

-- How a job is to split its text, as JSON; NULL for images.
ALTER TABLE jobs ADD COLUMN splitting TEXT;

-- The chunks of a text as plain lines; `chunk_sha256` has them as JSON Lines.
ALTER TABLE jobs ADD COLUMN plain_chunk_sha256 BLOB REFERENCES objects (sha256);

CREATE INDEX jobs_by_plain_chunk_file ON jobs (plain_chunk_sha256)
    WHERE plain_chunk_sha256 IS NOT NULL;
