//! Inner products and squared Euclidean distances of `f32` vectors: one pair,
//! or one query against the rows of a matrix.
//!
//! Called by the index (exact scans, rescoring, norms). Invariant: on one CPU
//! the value of a pair depends on the pair alone, never on the entry point or
//! on the row's place, so a scan, a rescoring and a norm agree to the bit and
//! equal vectors get equal scores. The squared distance of a vector to itself
//! is exactly zero. The portable twin also serves aarch64, where its lanes
//! compile to NEON.

#[cfg(target_arch = "x86_64")]
use crate::dispatch::Isa;
use crate::dispatch::{Cpu, cpu};

/// Inner product of two vectors of equal length.
///
/// # Panics
/// If the lengths differ: the caller has checked them.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut out = [0.0];
    dot_rows(a, b, &mut out);
    out[0]
}

/// Squared Euclidean distance of two vectors of equal length.
///
/// # Panics
/// If the lengths differ: the caller has checked them.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut out = [0.0];
    squared_distance_rows(a, b, &mut out);
    out[0]
}

/// Inner product of `query` with each row of `rows`, shape
/// `[out.len(), query.len()]`, row-major.
///
/// # Panics
/// If the shapes disagree.
pub fn dot_rows(rows: &[f32], query: &[f32], out: &mut [f32]) {
    reduce_rows::<Dot>(cpu(), rows, query, out);
}

/// Squared Euclidean distance of `query` to each row of `rows`, shape
/// `[out.len(), query.len()]`, row-major.
///
/// # Panics
/// If the shapes disagree.
pub fn squared_distance_rows(rows: &[f32], query: &[f32], out: &mut [f32]) {
    reduce_rows::<SquaredDistance>(cpu(), rows, query, out);
}

fn reduce_rows<T: Term>(cpu: Cpu, rows: &[f32], query: &[f32], out: &mut [f32]) {
    assert_eq!(
        rows.len(),
        query.len() * out.len(),
        "rows, query and out disagree in shape"
    );
    if query.is_empty() {
        out.fill(0.0);
        return;
    }
    let rows = rows.chunks_exact(query.len());
    #[cfg(target_arch = "x86_64")]
    match cpu.isa() {
        Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 | Isa::Amx => {
            for (row, out) in rows.zip(out) {
                // SAFETY: a `Cpu` of this level proves AVX-512.
                *out = unsafe { T::avx512(row, query) };
            }
            return;
        }
        Isa::Avx2 | Isa::Avx2Vnni => {
            for (row, out) in rows.zip(out) {
                // SAFETY: a `Cpu` of this level proves AVX2 and FMA.
                *out = unsafe { T::avx2(row, query) };
            }
            return;
        }
        Isa::Portable | Isa::Neon => {}
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = cpu;
    for (row, out) in rows.zip(out) {
        *out = T::portable(row, query);
    }
}

/// What is summed over the dimensions of a pair, once for each instruction set.
trait Term {
    fn portable(a: &[f32], b: &[f32]) -> f32;
    /// # Safety
    /// The CPU has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2(a: &[f32], b: &[f32]) -> f32;
    /// # Safety
    /// The CPU has AVX-512F.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512(a: &[f32], b: &[f32]) -> f32;
}

struct Dot;
impl Term for Dot {
    fn portable(a: &[f32], b: &[f32]) -> f32 {
        sum_lanes(a, b, |x, y| x * y)
    }
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2(a: &[f32], b: &[f32]) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { x86::dot_avx2(a, b) }
    }
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512(a: &[f32], b: &[f32]) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { x86::dot_avx512(a, b) }
    }
}

struct SquaredDistance;
impl Term for SquaredDistance {
    fn portable(a: &[f32], b: &[f32]) -> f32 {
        sum_lanes(a, b, |x, y| (x - y) * (x - y))
    }
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2(a: &[f32], b: &[f32]) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { x86::squared_distance_avx2(a, b) }
    }
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512(a: &[f32], b: &[f32]) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { x86::squared_distance_avx512(a, b) }
    }
}

/// Sum of `term` in 32 independent lanes, so that the compiler vectorises it.
fn sum_lanes(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    const LANES: usize = 32;
    let mut lanes = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail = a_chunks.remainder().iter().zip(b_chunks.remainder());
    for (lane, (x, y)) in lanes.iter_mut().zip(tail) {
        *lane = term(*x, *y);
    }
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += term(x[lane], y[lane]);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! Both widths sum the same 64 lanes in the same order, so that AVX2 and
    //! AVX-512 machines agree to the bit.
    use std::arch::x86_64::{
        __m256, __m512, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehdup_ps, _mm_movehl_ps,
        _mm256_add_ps, _mm256_castpd_ps, _mm256_castps256_ps128, _mm256_cmpgt_epi32,
        _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_maskload_ps,
        _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_sub_ps, _mm512_add_ps,
        _mm512_castps_pd, _mm512_castps512_ps256, _mm512_extractf64x4_pd, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_maskz_loadu_ps, _mm512_setzero_ps, _mm512_sub_ps,
    };

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum8(v: __m256) -> f32 {
        let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx2")]
    fn sum16(v: __m512) -> f32 {
        let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v)));
        sum8(_mm256_add_ps(_mm512_castps512_ps256(v), high))
    }

    macro_rules! kernels {
        ($avx2:ident, $avx512:ident, |$a:ident, $b:ident, $sum:ident| $eight:expr, $sixteen:expr) => {
            /// Sums over two slices of equal length.
            #[target_feature(enable = "avx2,fma")]
            pub(super) fn $avx2(left: &[f32], right: &[f32]) -> f32 {
                let length = left.len().min(right.len());
                let (left, right) = (left.as_ptr(), right.as_ptr());
                let mut sums = [_mm256_setzero_ps(); 8];
                let mut at = 0;
                while at + 64 <= length {
                    for (group, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: at + 64 <= length, so 8 floats from at + 8 * group are inside.
                        let ($a, $b, $sum) = unsafe {
                            let from = at + 8 * group;
                            (
                                _mm256_loadu_ps(left.add(from)),
                                _mm256_loadu_ps(right.add(from)),
                                *sum,
                            )
                        };
                        *sum = $eight;
                    }
                    at += 64;
                }
                // The tail's sixteens all go to the first two groups, as in the AVX-512 form.
                let mut group = 0;
                while at < length {
                    let rest = i32::try_from((length - at).min(8)).expect("at most 8");
                    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                    let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(rest), lanes);
                    // SAFETY: the mask covers the floats before `length` only.
                    let ($a, $b, $sum) = unsafe {
                        (
                            _mm256_maskload_ps(left.add(at), mask),
                            _mm256_maskload_ps(right.add(at), mask),
                            sums[group],
                        )
                    };
                    sums[group] = $eight;
                    group ^= 1;
                    at += 8;
                }
                let low = _mm256_add_ps(
                    _mm256_add_ps(sums[0], sums[2]),
                    _mm256_add_ps(sums[4], sums[6]),
                );
                let high = _mm256_add_ps(
                    _mm256_add_ps(sums[1], sums[3]),
                    _mm256_add_ps(sums[5], sums[7]),
                );
                sum8(_mm256_add_ps(low, high))
            }

            /// Sums over two slices of equal length.
            #[target_feature(enable = "avx512f,avx2")]
            pub(super) fn $avx512(left: &[f32], right: &[f32]) -> f32 {
                let length = left.len().min(right.len());
                let (left, right) = (left.as_ptr(), right.as_ptr());
                let mut sums = [_mm512_setzero_ps(); 4];
                let mut at = 0;
                while at + 64 <= length {
                    for (group, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: at + 64 <= length, so 16 floats from at + 16 * group are inside.
                        let ($a, $b, $sum) = unsafe {
                            let from = at + 16 * group;
                            (
                                _mm512_loadu_ps(left.add(from)),
                                _mm512_loadu_ps(right.add(from)),
                                *sum,
                            )
                        };
                        *sum = $sixteen;
                    }
                    at += 64;
                }
                while at < length {
                    let rest = (length - at).min(16);
                    let mask = u16::MAX >> (16 - rest);
                    // SAFETY: the mask covers the floats before `length` only.
                    let ($a, $b, $sum) = unsafe {
                        (
                            _mm512_maskz_loadu_ps(mask, left.add(at)),
                            _mm512_maskz_loadu_ps(mask, right.add(at)),
                            sums[0],
                        )
                    };
                    sums[0] = $sixteen;
                    at += 16;
                }
                sum16(_mm512_add_ps(
                    _mm512_add_ps(sums[0], sums[1]),
                    _mm512_add_ps(sums[2], sums[3]),
                ))
            }
        };
    }

    kernels!(
        dot_avx2,
        dot_avx512,
        |a, b, sum| _mm256_fmadd_ps(a, b, sum),
        _mm512_fmadd_ps(a, b, sum)
    );
    kernels!(
        squared_distance_avx2,
        squared_distance_avx512,
        |a, b, sum| {
            let difference = _mm256_sub_ps(a, b);
            _mm256_fmadd_ps(difference, difference, sum)
        },
        {
            let difference = _mm512_sub_ps(a, b);
            _mm512_fmadd_ps(difference, difference, sum)
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deterministic values in -1..1 with no structure.
    fn noise(length: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn reference(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
        a.iter()
            .zip(b)
            .map(|(x, y)| term(f64::from(*x), f64::from(*y)))
            .sum()
    }

    #[test]
    fn every_length_agrees_with_double_precision() {
        for length in (0..200).chain([511, 512, 513, 1024, 8192]) {
            let (a, b) = (noise(length, 1), noise(length, 2));
            let tolerance = 1e-6 * (length as f64 + 1.0);
            let (exact_dot, exact_square) = (
                reference(&a, &b, |x, y| x * y),
                reference(&a, &b, |x, y| (x - y) * (x - y)),
            );
            for value in [dot(&a, &b), Dot::portable(&a, &b)] {
                assert!((f64::from(value) - exact_dot).abs() < tolerance, "{length}");
            }
            for value in [squared_distance(&a, &b), SquaredDistance::portable(&a, &b)] {
                assert!(
                    (f64::from(value) - exact_square).abs() < tolerance,
                    "{length}"
                );
            }
        }
    }

    #[test]
    fn rows_give_what_pairs_give() {
        for dimension in [1, 7, 16, 65, 512] {
            let (rows, query) = (noise(dimension * 9, 3), noise(dimension, 4));
            let (mut dots, mut squares) = ([0.0; 9], [0.0; 9]);
            dot_rows(&rows, &query, &mut dots);
            squared_distance_rows(&rows, &query, &mut squares);
            for (index, row) in rows.chunks_exact(dimension).enumerate() {
                assert_eq!(dots[index].to_bits(), dot(row, &query).to_bits());
                assert_eq!(
                    squares[index].to_bits(),
                    squared_distance(&query, row).to_bits()
                );
            }
        }
    }

    #[test]
    fn a_vector_is_at_distance_zero_from_itself() {
        for length in [1, 31, 512, 1000] {
            let a = noise(length, 5);
            assert_eq!(squared_distance(&a, &a).to_bits(), 0);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn both_vector_widths_agree_to_the_bit() {
        if !is_x86_feature_detected!("avx512f") {
            return;
        }
        for length in (1..200).chain([512, 1000]) {
            let (a, b) = (noise(length, 6), noise(length, 7));
            // SAFETY: AVX-512F was detected, and every CPU with it has AVX2 and FMA.
            unsafe {
                assert_eq!(Dot::avx2(&a, &b).to_bits(), Dot::avx512(&a, &b).to_bits());
                assert_eq!(
                    SquaredDistance::avx2(&a, &b).to_bits(),
                    SquaredDistance::avx512(&a, &b).to_bits()
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "disagree in shape")]
    fn shapes_must_agree() {
        dot_rows(&[1.0; 5], &[1.0; 2], &mut [0.0; 2]);
    }
}
