//! Where kernels keep their numbers: aligned, in huge pages if the system gives
//! them, allocated once and reused.
//!
//! [`Pages`] is one buffer. A [`Vault`] packs the weights of a whole model into
//! few large buffers, so that they share huge pages. [`Scratch`] lends the
//! intermediate results of a forward pass their places, pass after pass.

mod pages;
pub(crate) mod prefetch;
pub(crate) use prefetch::{afresh, in_order};
mod region;
mod scratch;
mod shared;
mod vault;

pub use pages::Pages;
pub use scratch::Scratch;
pub(crate) use shared::Shared;
pub use vault::{Stored, Vault};
