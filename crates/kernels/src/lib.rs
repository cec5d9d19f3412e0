//! Number crunching for the encoders, the index and the resize of pictures, with the
//! instructions that the processor at hand has.
//!
//! `embed`, `index` and `media` call this crate; it calls nothing of ours. Every kernel
//! exists for each level of [`dispatch::Isa`] and is chosen at run time by a
//! [`Cpu`], which proves that its instructions may be executed. The
//! portable level is safe Rust and the twin that property tests hold the others to.
//!
//! This is the one crate of the workspace that is made of `unsafe`: vector
//! instructions, huge pages, and a thread pool that lends closures.

#![expect(
    unsafe_code,
    reason = "vector instructions, huge pages and lent closures"
)]
#![warn(clippy::undocumented_unsafe_blocks)]
#![allow(
    clippy::inline_always,
    clippy::many_single_char_names,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    clippy::float_cmp,
    clippy::wildcard_imports,
    clippy::needless_range_loop,
    reason = "the habits of numeric code: conversions are its business, and inlining is what selects instructions"
)]

pub mod activation;
pub mod attention;
mod background;
pub mod dispatch;
pub mod dot;
mod gate;
pub mod gemm;
pub mod image;
mod layer_norm;
mod machine;
pub mod memory;
pub mod pool;
pub mod score;
pub mod simd;
mod softmax;
#[cfg(test)]
mod testing;

pub use activation::Activation;
pub use attention::{Attention, Numbers, Span, Tokens};
pub use background::{give_way, step_back, step_back_behind};
pub use dispatch::{Cpu, CpuError, Isa};
pub use gate::{Gate, Held};
pub use gemm::{
    Convolution, Form, Layout, Linear, Operand, Output, Packer, Precision, Shape, by_tap, peak,
};
pub use layer_norm::LayerNorm;
pub use machine::Machine;
pub use memory::{Scratch, Vault};
pub use pool::Pool;
pub use softmax::softmax;
