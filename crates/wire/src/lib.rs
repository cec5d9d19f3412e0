//! The cloud's RPC protocol and its object-store form, as bytes and types.
//!
//! What lives here: request parameters ([`form`]), the table of actions
//! ([`action`]), request and reply types ([`dto`]), signatures ([`sign`]), the
//! object store's form, links and XML ([`object`]), and the table of error
//! codes ([`error`]). The gateway and the action handlers of the
//! `lookalike` binary call it; its demo command uses the signing side.
//!
//! Invariant: everything is pure and synchronous. No clock, no file, no socket
//! and no type of another crate of this project: the time is always an
//! argument, so a virtual clock needs no support here.

pub mod action;
pub mod dto;
pub mod error;
pub mod form;
pub mod object;
mod secret;
pub mod sign;

pub use error::{ApiError, ErrorCode};
pub use secret::Secret;
