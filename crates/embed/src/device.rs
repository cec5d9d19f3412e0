//! What the towers of CLIP run on.

use lookalike_kernels::{Cpu, Precision};

/// See the module. The built-in encoder always runs on the processor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// This processor, with the kernels for its instructions.
    #[default]
    Cpu,
    /// This processor, with candle in f32: slower, and what tests and benches hold the kernels to.
    Reference,
}

/// How a model's towers compute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backend {
    pub(crate) device: Device,
    pub(crate) precision: Precision,
    /// What weights are packed for.
    pub(crate) cpu: Cpu,
    pub(crate) threads: usize,
}

/// What CLIP computes in unless asked otherwise: bf16 where the processor multiplies it twice as fast as f32.
pub(crate) fn default_precision(cpu: Cpu) -> Precision {
    if cpu.has_bf16_products() {
        Precision::Bf16
    } else {
        Precision::F32
    }
}
