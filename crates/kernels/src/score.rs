//! Inner products of one query with rows of a matrix: in order, for scans, or
//! listed, for walks through a graph.
//!
//! Called by the index with its codes: bytes (the row unsigned, the query
//! signed), bf16, or `f32`. A listed row is asked from memory several rows before
//! its turn: the walk is bound by memory, not by arithmetic. Invariants: byte
//! products are exact and so the same on every processor; the value of a pair
//! does not depend on the row's place in the matrix or the list.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::dispatch::Cpu;
#[cfg(target_arch = "x86_64")]
use crate::dispatch::Isa;

/// Which rows of a matrix are scored.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// As many rows as there are results, from this one on.
    From(usize),
    /// These, in this order, as many as there are results.
    Listed(&'a [u32]),
}

impl Rows<'_> {
    /// The `count` rows after the first `from` of these.
    ///
    /// # Panics
    /// If a list has not that many.
    #[must_use]
    pub fn part(&self, from: usize, count: usize) -> Self {
        match self {
            Self::From(first) => Self::From(first + from),
            Self::Listed(list) => Self::Listed(&list[from..from + count]),
        }
    }
}

/// Asks for memory that is read soon. A hint: it changes nothing.
#[inline]
pub fn prefetch<T>(soon: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    x86::prefetch(soon.as_ptr(), soon.len());
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = soon;
}

/// Numbers a code is made of: implemented for `u8`, [`Bf16`] and `f32`.
pub trait Code: products::Products {}
impl Code for u8 {}
impl Code for Bf16 {}
impl Code for f32 {}

/// A number of 16 bits: the upper half of an `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl Bf16 {
    /// The nearest one, ties to even; `value` is finite.
    pub fn nearest(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits + 0x7fff + (bits >> 16 & 1);
        Self((rounded >> 16) as u16)
    }
}

impl From<Bf16> for f32 {
    fn from(value: Bf16) -> Self {
        Self::from_bits(u32::from(value.0) << 16)
    }
}

/// Inner product of `query` with rows of `matrix`, row-major, each row as long
/// as the query.
///
/// # Panics
/// If a row is outside the matrix, or a list's length is not that of `out`.
pub fn score<C: Code>(
    cpu: Cpu,
    matrix: &[C],
    rows: Rows<'_>,
    query: &[C::Query],
    out: &mut [C::Sum],
) {
    let available = matrix.len().checked_div(query.len()).unwrap_or(usize::MAX);
    let inside = match rows {
        Rows::From(first) => first + out.len() <= available,
        Rows::Listed(list) => {
            assert_eq!(list.len(), out.len(), "a result for each row of the list");
            list.iter()
                .copied()
                .max()
                .is_none_or(|last| (last as usize) < available)
        }
    };
    assert!(inside, "a row outside the matrix");
    C::products(cpu, matrix, rows, query, out);
}

mod products {
    use super::{Cpu, Rows};

    /// The kernels behind [`super::score`], out of reach without its checks.
    pub trait Products: Copy + Send + Sync + 'static {
        /// The query's numbers.
        type Query: Copy + std::fmt::Debug + Send + Sync;
        /// The type of an inner product.
        type Sum: Copy + std::fmt::Debug + Send + Sync;

        /// [`super::score`] of rows that are inside the matrix.
        fn products(
            cpu: Cpu,
            matrix: &[Self],
            rows: Rows<'_>,
            query: &[Self::Query],
            out: &mut [Self::Sum],
        );
    }
}

impl products::Products for u8 {
    type Query = i8;
    type Sum = i32;

    fn products(cpu: Cpu, matrix: &[u8], rows: Rows<'_>, query: &[i8], out: &mut [i32]) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Cpu` of a level proves its instructions; `score` checked the rows.
        unsafe {
            match cpu.isa() {
                Isa::Avx512Vnni | Isa::Avx512Bf16 | Isa::Amx => {
                    return x86::bytes_avx512_vnni(matrix, rows, query, out);
                }
                Isa::Avx2Vnni => return x86::bytes_avx2_vnni(matrix, rows, query, out),
                Isa::Avx2 | Isa::Avx512 => return x86::bytes_avx2(matrix, rows, query, out),
                Isa::Portable | Isa::Neon => {}
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = cpu;
        portable::each_row(matrix, rows, query, out, portable::bytes);
    }
}

impl products::Products for Bf16 {
    type Query = Bf16;
    type Sum = f32;

    fn products(cpu: Cpu, matrix: &[Bf16], rows: Rows<'_>, query: &[Bf16], out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Cpu` of a level proves its instructions; `score` checked the rows.
        unsafe {
            match cpu.isa() {
                Isa::Avx512Bf16 => return x86::bf16_avx512_bf16(matrix, rows, query, out),
                Isa::Avx512 | Isa::Avx512Vnni | Isa::Amx => {
                    return x86::bf16_avx512(matrix, rows, query, out);
                }
                Isa::Avx2 | Isa::Avx2Vnni => return x86::bf16_avx2(matrix, rows, query, out),
                Isa::Portable | Isa::Neon => {}
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = cpu;
        portable::each_row(matrix, rows, query, out, portable::bf16);
    }
}

impl products::Products for f32 {
    type Query = f32;
    type Sum = f32;

    fn products(cpu: Cpu, matrix: &[f32], rows: Rows<'_>, query: &[f32], out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Cpu` of a level proves its instructions; `score` checked the rows.
        unsafe {
            match cpu.isa() {
                Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 | Isa::Amx => {
                    return x86::f32_avx512(matrix, rows, query, out);
                }
                Isa::Avx2 | Isa::Avx2Vnni => return x86::f32_avx2(matrix, rows, query, out),
                Isa::Portable | Isa::Neon => {}
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = cpu;
        portable::each_row(matrix, rows, query, out, portable::f32);
    }
}

#[cfg(test)]
mod tests;
