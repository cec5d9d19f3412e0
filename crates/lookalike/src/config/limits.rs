//! The limits, each of which stops one way of using up the machine. Errors name them, with `_` or `-` between
//! the words.

use clap::Args;

use super::ByteSize;

/// The limits of `lookalike serve`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Connections at a time; further ones wait until one closes
    #[arg(long, env = "LOOKALIKE_MAX_CONNECTIONS", value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections: u32,

    /// Bytes of the body of an API call; a longer one is refused with 413
    #[arg(
        long,
        env = "LOOKALIKE_MAX_BODY_BYTES",
        value_name = "SIZE",
        default_value = "16MiB"
    )]
    pub max_body_bytes: ByteSize,

    /// Bytes of an uploaded file, local or remote
    #[arg(
        long,
        env = "LOOKALIKE_MAX_DOCUMENT_BYTES",
        value_name = "SIZE",
        default_value = "200MiB"
    )]
    pub max_document_bytes: ByteSize,

    /// Bytes of all stored files together; 100GiB in a folder and 2GiB in memory when not set
    #[arg(long, env = "LOOKALIKE_MAX_STORED_BYTES", value_name = "SIZE")]
    pub max_stored_bytes: Option<ByteSize>,

    /// Seconds for a request's head, and for a connection to stay idle between requests, before it is closed
    #[arg(long, env = "LOOKALIKE_HEADER_TIMEOUT_SECONDS", value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub header_timeout_seconds: u64,

    /// Seconds for the first byte and the TLS handshake of a connection before it is closed
    #[arg(long, env = "LOOKALIKE_HANDSHAKE_TIMEOUT_SECONDS", value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub handshake_timeout_seconds: u64,

    /// Seconds without a byte of a request's body before the request is refused with 408
    #[arg(long, env = "LOOKALIKE_BODY_TIMEOUT_SECONDS", value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub body_timeout_seconds: u64,

    /// Seconds in which a client takes nothing of an answer before its connection is closed
    #[arg(long, env = "LOOKALIKE_WRITE_TIMEOUT_SECONDS", value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub write_timeout_seconds: u64,

    /// Seconds that requests and jobs in progress may take to finish after SIGTERM or Ctrl-C
    #[arg(long, env = "LOOKALIKE_DRAIN_SECONDS", value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub drain_seconds: u64,

    /// Queries at work at the same time; one more is refused with Throttling.User
    #[arg(long, env = "LOOKALIKE_MAX_CONCURRENT_QUERIES", value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_concurrent_queries: u32,

    /// Uploads of documents waiting or running at the same time; one more is refused with Throttling.User. The cloud takes
    /// 20; not set, they queue
    #[arg(long, env = "LOOKALIKE_MAX_UNFINISHED_JOBS", value_name = "N")]
    pub max_unfinished_jobs: Option<u32>,

    /// Bytes of the text of a query
    #[arg(
        long,
        env = "LOOKALIKE_MAX_QUERY_TEXT_BYTES",
        value_name = "SIZE",
        default_value = "64KiB"
    )]
    pub max_query_text_bytes: ByteSize,

    /// Bytes of the `Rows` of one call, and of one line of a file of rows
    #[arg(
        long,
        env = "LOOKALIKE_MAX_ROWS_BYTES",
        value_name = "SIZE",
        default_value = "10MB"
    )]
    pub max_rows_bytes: ByteSize,

    /// Bytes of a `Filter` or an `OrderBy`
    #[arg(
        long,
        env = "LOOKALIKE_MAX_FILTER_BYTES",
        value_name = "SIZE",
        default_value = "256KiB"
    )]
    pub max_filter_bytes: ByteSize,

    /// Names, words and operators of a `Filter` or an `OrderBy`; literals are free
    #[arg(long, env = "LOOKALIKE_MAX_FILTER_TERMS", value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_filter_terms: u32,

    /// Levels of a `Filter`: brackets within brackets, operators on operators, the field or literal within
    #[arg(long, env = "LOOKALIKE_MAX_FILTER_DEPTH", value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub max_filter_depth: u32,

    /// Bytes of the `Metadata` of an upload
    #[arg(
        long,
        env = "LOOKALIKE_MAX_METADATA_BYTES",
        value_name = "SIZE",
        default_value = "64KiB"
    )]
    pub max_metadata_bytes: ByteSize,

    /// Starts that an upload job gets before it ends Failed, should it end the process each time
    #[arg(long, env = "LOOKALIKE_MAX_ATTEMPTS", value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub max_attempts: u32,

    /// Characters of a job's `Error`; what does not fit is counted
    #[arg(long, env = "LOOKALIKE_MAX_ERROR_CHARS", value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(200..=1_000_000))]
    pub max_error_chars: u32,

    /// Hours that a job whose collection was deleted under it can still be asked for
    #[arg(long, env = "LOOKALIKE_ORPHANED_JOB_HOURS", value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8760))]
    pub orphaned_job_hours: u64,

    /// Hours that a file uploaded through the object store's form waits for the call that uses it
    #[arg(long, env = "LOOKALIKE_UPLOAD_RETENTION_HOURS", value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8760))]
    pub upload_retention_hours: u64,

    /// Seconds for fetching a remote `FileUrl`, redirects included
    #[arg(long, env = "LOOKALIKE_FETCH_TIMEOUT_SECONDS", value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub fetch_timeout_seconds: u64,

    /// Redirects followed for a remote `FileUrl`
    #[arg(long, env = "LOOKALIKE_MAX_REDIRECTS", value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=50))]
    pub max_redirects: u32,

    /// Chunks of one text document
    #[arg(long, env = "LOOKALIKE_MAX_CHUNKS", value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_chunks: u32,

    /// Images in one archive
    #[arg(
        long,
        env = "LOOKALIKE_MAX_IMAGES",
        value_name = "N",
        default_value_t = 100
    )]
    pub max_images: u64,

    /// Members of any kind in one archive
    #[arg(
        long,
        env = "LOOKALIKE_MAX_MEMBERS",
        value_name = "N",
        default_value_t = 10_000
    )]
    pub max_members: u64,

    /// Bytes of one member of an archive, unpacked
    #[arg(
        long,
        env = "LOOKALIKE_MAX_MEMBER_BYTES",
        value_name = "SIZE",
        default_value = "200MB"
    )]
    pub max_member_bytes: ByteSize,

    /// Bytes unpacked from one archive in all
    #[arg(
        long,
        env = "LOOKALIKE_MAX_TOTAL_BYTES",
        value_name = "SIZE",
        default_value = "1GiB"
    )]
    pub max_total_bytes: ByteSize,

    /// Unpacked bytes for each packed one
    #[arg(
        long,
        env = "LOOKALIKE_MAX_RATIO",
        value_name = "N",
        default_value_t = 200
    )]
    pub max_ratio: u64,

    /// Columns times rows of an image
    #[arg(
        long,
        env = "LOOKALIKE_MAX_PIXELS",
        value_name = "N",
        default_value_t = 120_000_000
    )]
    pub max_pixels: u64,

    /// Columns, and rows, of an image
    #[arg(
        long,
        env = "LOOKALIKE_MAX_SIDE",
        value_name = "N",
        default_value_t = 65_535
    )]
    pub max_side: u32,

    /// Bytes of a decoded image
    #[arg(
        long,
        env = "LOOKALIKE_MAX_DECODED_BYTES",
        value_name = "SIZE",
        default_value = "1GiB"
    )]
    pub max_decoded_bytes: ByteSize,
}
