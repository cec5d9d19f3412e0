//! The twin in plain Rust, in lanes that the compiler vectorises (NEON on aarch64).

use super::{Bf16, Rows};

const LANES: usize = 16;

/// Applies `product` to the rows, each as long as the query.
pub fn each_row<C, Q, S>(
    matrix: &[C],
    rows: Rows<'_>,
    query: &[Q],
    out: &mut [S],
    product: impl Fn(&[C], &[Q]) -> S,
) {
    let width = query.len();
    match rows {
        Rows::From(first) => {
            for (index, out) in out.iter_mut().enumerate() {
                *out = product(&matrix[(first + index) * width..][..width], query);
            }
        }
        Rows::Listed(list) => {
            for (row, out) in list.iter().zip(out) {
                *out = product(&matrix[*row as usize * width..][..width], query);
            }
        }
    }
}

pub fn bytes(row: &[u8], query: &[i8]) -> i32 {
    let product = |a: u8, b: i8| i32::from(a) * i32::from(b);
    lanes(row, query, 0_i32, |sum, a, b| sum + product(a, b))
        .into_iter()
        .sum()
}

pub fn bf16(row: &[Bf16], query: &[Bf16]) -> f32 {
    let product = |a: Bf16, b: Bf16| f32::from(a) * f32::from(b);
    lanes(row, query, 0.0, |sum, a, b| sum + product(a, b))
        .into_iter()
        .sum()
}

pub fn f32(row: &[f32], query: &[f32]) -> f32 {
    lanes(row, query, 0.0, |sum, a, b| sum + a * b)
        .into_iter()
        .sum()
}

/// Folds pairs into independent lanes.
fn lanes<A: Copy, B: Copy, S: Copy>(
    a: &[A],
    b: &[B],
    zero: S,
    add: impl Fn(S, A, B) -> S,
) -> [S; LANES] {
    let mut sums = [zero; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail = a_chunks.remainder().iter().zip(b_chunks.remainder());
    for (sum, (a, b)) in sums.iter_mut().zip(tail) {
        *sum = add(*sum, *a, *b);
    }
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] = add(sums[lane], a[lane], b[lane]);
        }
    }
    sums
}
