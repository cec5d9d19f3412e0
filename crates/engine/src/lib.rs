//! What the product does: namespaces, collections, documents, jobs, queries, stored originals.
//!
//! Called by the server, which maps the API's requests to the methods of [`Engine`] and its errors
//! to the API's codes; nothing here knows HTTP or the API's types. Comments cite
//! `semantics.md` rows where a rule is a decision about the service that is imitated.
//!
//! Invariants: the database is the truth and everything in memory can be made from it again; what
//! was accepted survives the death of the process at any point; a query sees all of a job or
//! nothing of it.

mod access;
mod account;
mod chunks;
mod clock;
mod collection;
mod columns;
pub mod config;
mod cpu;
mod data_folder;
mod document;
mod engine;
mod error;
mod fetch;
mod filter;
mod housekeeping;
mod index_options;
mod instance;
mod jobs;
mod loading;
mod lookup;
pub mod metadata;
mod name;
mod namespace;
mod objects;
mod password;
mod plain_text;
mod query;
mod reindex;
mod resident;
mod rows;
mod scalar_index;
mod secret;
mod splitter;
mod store;
mod text_models;
mod upload;
mod vector_collection;
mod vector_index;
mod words;

pub use lookalike_index::Metric;

pub use self::{
    access::{ManagerAccess, NamespaceAccess},
    account::{Account, AccountKind, NewAccount},
    chunks::{ChunkPage, ListChunks, ListedChunk, PAGE_SIZES, TextChunk, UpsertChunks, Upserted},
    collection::{
        Collection, CollectionKind, CollectionSettings, DEFAULT_EMBEDDING_MODEL, NewCollection,
        metric_from_name, metric_name,
    },
    config::{DataLocation, EngineConfig},
    document::SOURCE,
    document::{ChunkFiles, Document, DocumentPage, Page},
    engine::Engine,
    error::{Credential, EngineError, Subject},
    filter::FilterLimits,
    housekeeping::Collected,
    index_options::IndexOptions,
    instance::Instance,
    jobs::{
        EntryFailure, FailureKind, Job, JobFailure, JobStatus, Source, SubmitRows, SubmitUpload,
        Usage,
    },
    name::{
        AccountName, CollectionName, ColumnName, FileName, IndexName, InstanceId, JobId, NameError,
        NamespaceName, ObjectId, ObjectKey,
    },
    namespace::Namespace,
    objects::{ObjectFile, ObjectReader},
    query::{
        DEFAULT_TOP_K, HybridSearch, ImageQuery, MAX_TOP_K, Match, QueryContent, QueryResult,
        QueryRows, RecallWindow, RerankOptions, RetrievalSource, RowMatch, RowsResult, WindowRow,
    },
    reindex::{ReindexProgress, Reindexed},
    rows::{DeleteRows, MAX_SPARSE_ELEMENTS, NewRow, SparseVector, UpdateRows, UpsertRows},
    scalar_index::{IndexMethod, NewScalarIndex, ScalarIndex},
    secret::Secret,
    splitter::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, SplitOptions},
    text_models::{Embedded, RankDocuments, Ranked, Ranking},
    upload::{StoredUpload, Upload},
    vector_collection::{Grant, NewGrant, NewVectorCollection},
    vector_index::{IndexKind, NewVectorIndex},
};
