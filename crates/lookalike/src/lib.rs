//! The Lookalike binary as a library, so that tests and benches can reach its parts.
//!
//! The order of a request: `gateway` (connection, TLS, id, routing, signature) → `actions` (wire type to
//! engine command and back), `objects` (the object store's form and links) or `console` (pages for a
//! browser). `cli` starts it, `config` says how, `server` puts it together.

mod actions;
pub mod app;
pub mod cli;
pub mod client;
pub mod config;
mod console;
pub mod error;
pub mod gateway;
pub mod logging;
mod objects;
mod private_file;
pub mod reference;
pub mod server;

pub use actions::ENCODER_HEADER;
