//! The inner loops for AVX2, AVX-512 and AMX, and the choice among them.
//!
//! Tile sizes: AVX-512 has 32 registers, of which 8 × 3 hold sums, 3 weights and the
//! others the left side; AVX2 has 16, of which 6 × 2 hold sums.

mod amx;
mod avx2;
mod avx512;

use super::Micro;
use crate::dispatch::Isa;
use crate::gemm::Precision;

/// The fastest loop of a level of x86-64.
pub(super) fn choose(isa: Isa, precision: Precision) -> &'static Micro {
    match (precision, isa) {
        (Precision::F32, Isa::Avx2 | Isa::Avx2Vnni) => &avx2::F32,
        (Precision::Bf16, Isa::Avx2 | Isa::Avx2Vnni) => &avx2::BF16,
        (Precision::Int8, Isa::Avx2) => &avx2::INT8,
        (Precision::Int8, Isa::Avx2Vnni) => &avx2::INT8_VNNI,
        (Precision::F32, Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 | Isa::Amx) => {
            &avx512::F32
        }
        (Precision::Bf16, Isa::Avx512 | Isa::Avx512Vnni) => &avx512::BF16_WIDENED,
        (Precision::Bf16, Isa::Avx512Bf16) => &avx512::BF16,
        (Precision::Int8, Isa::Avx512) => &avx512::INT8,
        (Precision::Int8, Isa::Avx512Vnni | Isa::Avx512Bf16) => &avx512::INT8_VNNI,
        (Precision::Bf16, Isa::Amx) => &amx::BF16,
        (Precision::Int8, Isa::Amx) => &amx::INT8,
        (_, Isa::Portable | Isa::Neon) => super::portable::choose(precision),
    }
}
