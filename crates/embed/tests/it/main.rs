//! The encoders from outside: against recorded vectors, and on folders that are not what they should be.
//!
//! One binary, because linking is what tests of a crate of this size wait for.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

mod bert;
mod builtin;
mod builtin_text;
mod clip;
mod clip_folder;
mod layouts;
mod models;
