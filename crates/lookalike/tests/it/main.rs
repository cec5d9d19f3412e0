//! The server as a whole: over real sockets, with the built-in encoder, in this process or as the program
//! itself.
//!
//! Each test carries the mark of how we know what it claims (docs/parity.md): `cloud`, `docs`, `sdk` or
//! `ours`, at the end of its comment.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod hub;
mod instances;
mod program;
mod server;
mod wire;

mod api;
mod cli;
mod flow;
mod forms;
mod gateway;
mod links;
mod models;
mod pages;
mod persistence;
mod rows;
mod signature;
mod uploads;
