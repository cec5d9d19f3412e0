//! The engine through its own handle, with the built-in encoder and a real database.
//!
//! One binary: linking is what tests of a crate of this size wait for, and each binary is 100 MB on disk.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

mod archives;
mod chunks;
mod collections;
mod crash;
mod documents;
mod filters;
mod hybrid;
mod hybrid_rows;
mod indexes;
mod jobs;
mod namespaces;
mod odd_files;
mod queries;
mod reindex;
mod remote;
mod row_changes;
mod row_files;
mod rows;
mod scalar_indexes;
mod storage;
mod stress;
mod text_crash;
mod text_models;
mod text_queries;
mod texts;
mod uploads;
mod vector_collections;
mod warm;
