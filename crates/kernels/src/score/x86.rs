//! AVX2 and AVX-512, with and without the instructions for bytes and bf16.
//!
//! Four rows are scored at a time: they share the loads of the query, their
//! additions are independent, and their sums are folded together. [`walk`] does
//! the bookkeeping for all; what differs is how a stretch of a row is added.

use std::arch::x86_64::*;

use super::{Bf16, Rows};

/// Rows asked from memory before their turn, a multiple of four.
const AHEAD: usize = 8;

/// How one instruction set adds up the products of a row with the query.
struct Adder<V, Step, Rest, Fold> {
    zero: V,
    /// Adds `STEP` products to a total.
    step: Step,
    /// Adds the given number of products, below `STEP`, to a total.
    rest: Rest,
    /// The sums of four totals.
    fold: Fold,
}

/// Scores the rows, which are inside the matrix: [`super::score`] checked it.
///
/// Inlined into its caller and its closures into it, so that all of it is
/// compiled with the caller's instructions.
#[inline(always)]
fn walk<const STEP: usize, C, Q, S: Copy, V: Copy>(
    matrix: &[C],
    rows: Rows<'_>,
    query: &[Q],
    out: &mut [S],
    adder: &Adder<
        V,
        impl Fn(V, *const C, *const Q) -> V,
        impl Fn(V, *const C, *const Q, usize) -> V,
        impl Fn([V; 4]) -> [S; 4],
    >,
) {
    let width = query.len();
    // Wrapping arithmetic on pointers needs no promise; loads are in bounds by the check above.
    let row_at = |row: usize| matrix.as_ptr().wrapping_add(row * width);
    let four = |rows: [*const C; 4]| {
        let mut totals = [adder.zero; 4];
        let mut at = 0;
        while at + STEP <= width {
            let query = query.as_ptr().wrapping_add(at);
            for (total, row) in totals.iter_mut().zip(rows) {
                *total = (adder.step)(*total, row.wrapping_add(at), query);
            }
            at += STEP;
        }
        if at < width {
            let query = query.as_ptr().wrapping_add(at);
            for (total, row) in totals.iter_mut().zip(rows) {
                *total = (adder.rest)(*total, row.wrapping_add(at), query, width - at);
            }
        }
        (adder.fold)(totals)
    };
    let (groups, rest) = out.as_chunks_mut::<4>();
    let whole = 4 * groups.len();
    match rows {
        Rows::From(first) => {
            for (group, out) in groups.iter_mut().enumerate() {
                let row = first + 4 * group;
                *out = four([
                    row_at(row),
                    row_at(row + 1),
                    row_at(row + 2),
                    row_at(row + 3),
                ]);
            }
            let row = first + whole;
            fill(rest, |last| {
                four([
                    row_at(row),
                    row_at(row + last.min(1)),
                    row_at(row + last),
                    row_at(row + last),
                ])
            });
        }
        Rows::Listed(list) => {
            let at = |row: u32| row_at(row as usize);
            for row in list.iter().take(AHEAD) {
                prefetch(at(*row), width);
            }
            let (lists, _) = list.as_chunks::<4>();
            for (group, (now, out)) in lists.iter().zip(groups).enumerate() {
                for row in list.iter().skip(4 * group + AHEAD).take(4) {
                    prefetch(at(*row), width);
                }
                *out = four([at(now[0]), at(now[1]), at(now[2]), at(now[3])]);
            }
            let list = &list[whole..];
            fill(rest, |last| {
                four([
                    at(list[0]),
                    at(list[last.min(1)]),
                    at(list[last]),
                    at(list[last]),
                ])
            });
        }
    }
}

/// Fills the one to three results that are left, if any, from one call that is
/// told the number of the last.
#[inline(always)]
fn fill<S: Copy>(out: &mut [S], four: impl FnOnce(usize) -> [S; 4]) {
    if let Some(last) = out.len().checked_sub(1) {
        for (out, sum) in out.iter_mut().zip(four(last)) {
            *out = sum;
        }
    }
}

/// Asks for a row's lines of memory.
#[inline(always)]
pub fn prefetch<C>(row: *const C, width: usize) {
    for line in (0..width * size_of::<C>()).step_by(64) {
        // SAFETY: a hint; it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(row.cast::<i8>().wrapping_add(line)) };
    }
}

/// Bytes with AVX512-VNNI: 64 products an instruction.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub unsafe fn bytes_avx512_vnni(matrix: &[u8], rows: Rows<'_>, query: &[i8], out: &mut [i32]) {
    let adder = Adder {
        zero: _mm512_setzero_si512(),
        // SAFETY: `walk` gives pointers to 64 bytes.
        step: |total, a: *const u8, b: *const i8| unsafe {
            let (a, b) = (_mm512_loadu_si512(a.cast()), _mm512_loadu_si512(b.cast()));
            _mm512_dpbusd_epi32(total, a, b)
        },
        // SAFETY: the mask covers the bytes that are left.
        rest: |total, a: *const u8, b: *const i8, left| unsafe {
            let mask = u64::MAX >> (64 - left);
            let (a, b) = (
                _mm512_maskz_loadu_epi8(mask, a.cast()),
                _mm512_maskz_loadu_epi8(mask, b),
            );
            _mm512_dpbusd_epi32(total, a, b)
        },
        fold: |totals: [__m512i; 4]| {
            let [a, b, c, d] = totals;
            fold_integers([fold_half(a), fold_half(b), fold_half(c), fold_half(d)])
        },
    };
    walk::<64, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// Bytes with AVX-VNNI: 32 products an instruction.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx2,avxvnni")]
pub unsafe fn bytes_avx2_vnni(matrix: &[u8], rows: Rows<'_>, query: &[i8], out: &mut [i32]) {
    let adder = Adder {
        zero: _mm256_setzero_si256(),
        // SAFETY: `walk` gives pointers to 32 bytes.
        step: |total, a: *const u8, b: *const i8| unsafe {
            let (a, b) = (_mm256_loadu_si256(a.cast()), _mm256_loadu_si256(b.cast()));
            _mm256_dpbusd_avx_epi32(total, a, b)
        },
        // SAFETY: `walk` gives pointers to `left` bytes.
        rest: |total, a: *const u8, b: *const i8, left| unsafe { rest_of_bytes(total, a, b, left) },
        fold: |totals| fold_integers(totals),
    };
    walk::<32, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// Bytes with AVX2, widened to 16 bits: 16 products an instruction.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx2")]
pub unsafe fn bytes_avx2(matrix: &[u8], rows: Rows<'_>, query: &[i8], out: &mut [i32]) {
    let adder = Adder {
        zero: _mm256_setzero_si256(),
        // SAFETY: `walk` gives pointers to 16 bytes.
        step: |total, a: *const u8, b: *const i8| unsafe {
            let a = _mm256_cvtepu8_epi16(_mm_loadu_si128(a.cast()));
            let b = _mm256_cvtepi8_epi16(_mm_loadu_si128(b.cast()));
            _mm256_add_epi32(total, _mm256_madd_epi16(a, b))
        },
        // SAFETY: `walk` gives pointers to `left` bytes.
        rest: |total, a: *const u8, b: *const i8, left| unsafe { rest_of_bytes(total, a, b, left) },
        fold: |totals| fold_integers(totals),
    };
    walk::<16, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// bf16 with the processor's own products of pairs.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2")]
pub unsafe fn bf16_avx512_bf16(matrix: &[Bf16], rows: Rows<'_>, query: &[Bf16], out: &mut [f32]) {
    // SAFETY: both types are 512 bits of which any are valid.
    let pairs = |bits: __m512i| unsafe { std::mem::transmute::<__m512i, __m512bh>(bits) };
    let adder = Adder {
        zero: _mm512_setzero_ps(),
        // SAFETY: `walk` gives pointers to 32 numbers.
        step: |total, a: *const Bf16, b: *const Bf16| unsafe {
            let (a, b) = (_mm512_loadu_si512(a.cast()), _mm512_loadu_si512(b.cast()));
            _mm512_dpbf16_ps(total, pairs(a), pairs(b))
        },
        // SAFETY: the mask covers the numbers that are left.
        rest: |total, a: *const Bf16, b: *const Bf16, left| unsafe {
            let mask = u32::MAX >> (32 - left);
            let a = _mm512_maskz_loadu_epi16(mask, a.cast());
            let b = _mm512_maskz_loadu_epi16(mask, b.cast());
            _mm512_dpbf16_ps(total, pairs(a), pairs(b))
        },
        fold: |totals: [__m512; 4]| fold_halves(totals),
    };
    walk::<32, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// bf16 widened to `f32`, sixteen at a time.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2")]
pub unsafe fn bf16_avx512(matrix: &[Bf16], rows: Rows<'_>, query: &[Bf16], out: &mut [f32]) {
    let widen =
        |half: __m256i| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half)));
    let adder = Adder {
        zero: _mm512_setzero_ps(),
        // SAFETY: `walk` gives pointers to 16 numbers.
        step: |total, a: *const Bf16, b: *const Bf16| unsafe {
            let (a, b) = (_mm256_loadu_si256(a.cast()), _mm256_loadu_si256(b.cast()));
            _mm512_fmadd_ps(widen(a), widen(b), total)
        },
        // SAFETY: the mask covers the numbers that are left.
        rest: |total, a: *const Bf16, b: *const Bf16, left| unsafe {
            let mask = u16::MAX >> (16 - left);
            let a = _mm256_maskz_loadu_epi16(mask, a.cast());
            let b = _mm256_maskz_loadu_epi16(mask, b.cast());
            _mm512_fmadd_ps(widen(a), widen(b), total)
        },
        fold: |totals: [__m512; 4]| fold_halves(totals),
    };
    walk::<16, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// bf16 widened to `f32`, eight at a time.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn bf16_avx2(matrix: &[Bf16], rows: Rows<'_>, query: &[Bf16], out: &mut [f32]) {
    let widen =
        |half: __m128i| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half)));
    let adder = Adder {
        zero: _mm256_setzero_ps(),
        // SAFETY: `walk` gives pointers to 8 numbers.
        step: |total, a: *const Bf16, b: *const Bf16| unsafe {
            let (a, b) = (_mm_loadu_si128(a.cast()), _mm_loadu_si128(b.cast()));
            _mm256_fmadd_ps(widen(a), widen(b), total)
        },
        // SAFETY: `walk` gives pointers to `left` numbers, at most 7.
        rest: |total, a: *const Bf16, b: *const Bf16, left| unsafe {
            let (mut padded_a, mut padded_b) = ([Bf16(0); 8], [Bf16(0); 8]);
            padded_a[..left].copy_from_slice(std::slice::from_raw_parts(a, left));
            padded_b[..left].copy_from_slice(std::slice::from_raw_parts(b, left));
            let (a, b) = (
                _mm_loadu_si128(padded_a.as_ptr().cast()),
                _mm_loadu_si128(padded_b.as_ptr().cast()),
            );
            _mm256_fmadd_ps(widen(a), widen(b), total)
        },
        fold: |totals| fold_floats(totals),
    };
    walk::<8, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// `f32`, sixteen at a time.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2")]
pub unsafe fn f32_avx512(matrix: &[f32], rows: Rows<'_>, query: &[f32], out: &mut [f32]) {
    let adder = Adder {
        zero: _mm512_setzero_ps(),
        // SAFETY: `walk` gives pointers to 16 numbers.
        step: |total, a, b| unsafe {
            _mm512_fmadd_ps(_mm512_loadu_ps(a), _mm512_loadu_ps(b), total)
        },
        // SAFETY: the mask covers the numbers that are left.
        rest: |total, a, b, left| unsafe {
            let mask = u16::MAX >> (16 - left);
            _mm512_fmadd_ps(
                _mm512_maskz_loadu_ps(mask, a),
                _mm512_maskz_loadu_ps(mask, b),
                total,
            )
        },
        fold: |totals: [__m512; 4]| fold_halves(totals),
    };
    walk::<16, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// `f32`, eight at a time.
///
/// # Safety
/// As for all functions here: the rows are inside the matrix.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn f32_avx2(matrix: &[f32], rows: Rows<'_>, query: &[f32], out: &mut [f32]) {
    let adder = Adder {
        zero: _mm256_setzero_ps(),
        // SAFETY: `walk` gives pointers to 8 numbers.
        step: |total, a, b| unsafe {
            _mm256_fmadd_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b), total)
        },
        // SAFETY: the mask covers the `left` numbers, at most 7.
        rest: |total, a, b, left: usize| unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(left as i32), lanes);
            _mm256_fmadd_ps(
                _mm256_maskload_ps(a, mask),
                _mm256_maskload_ps(b, mask),
                total,
            )
        },
        fold: |totals| fold_floats(totals),
    };
    walk::<8, _, _, _, _>(matrix, rows, query, out, &adder);
}

/// Adds the products of fewer bytes than a vector has, one by one.
///
/// # Safety
/// Both pointers are to `left` readable bytes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn rest_of_bytes(total: __m256i, a: *const u8, b: *const i8, left: usize) -> __m256i {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe {
        (
            std::slice::from_raw_parts(a, left),
            std::slice::from_raw_parts(b, left),
        )
    };
    let sum = a
        .iter()
        .zip(b)
        .map(|(a, b)| i32::from(*a) * i32::from(*b))
        .sum();
    _mm256_add_epi32(total, _mm256_setr_epi32(sum, 0, 0, 0, 0, 0, 0, 0))
}

/// The sum of a vector's halves.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn fold_half(total: __m512i) -> __m256i {
    _mm256_add_epi32(
        _mm512_castsi512_si256(total),
        _mm512_extracti64x4_epi64::<1>(total),
    )
}

/// The sums of four vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx2")]
fn fold_halves([a, b, c, d]: [__m512; 4]) -> [f32; 4] {
    let halve = |total: __m512| {
        let high = _mm512_extractf32x8_ps::<1>(total);
        _mm256_add_ps(_mm512_castps512_ps256(total), high)
    };
    fold_floats([halve(a), halve(b), halve(c), halve(d)])
}

/// The sums of four vectors.
#[inline]
#[target_feature(enable = "avx2")]
fn fold_integers([a, b, c, d]: [__m256i; 4]) -> [i32; 4] {
    let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let sums = _mm_add_epi32(
        _mm256_castsi256_si128(pairs),
        _mm256_extracti128_si256::<1>(pairs),
    );
    let mut out = [0; 4];
    // SAFETY: 16 bytes into an array of 16 bytes.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
    out
}

/// The sums of four vectors.
#[inline]
#[target_feature(enable = "avx2")]
fn fold_floats([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
    let pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    let sums = _mm_add_ps(
        _mm256_castps256_ps128(pairs),
        _mm256_extractf128_ps::<1>(pairs),
    );
    let mut out = [0.0; 4];
    // SAFETY: 16 bytes into an array of 16 bytes.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}
