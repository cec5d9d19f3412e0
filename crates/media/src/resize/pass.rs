//! The two passes of a resize: weighted sums of rows, and of columns.
//!
//! A sum is `samples x weights` in 32 bits, exactly. Every processor that this runs on multiplies 16-bit numbers in pairs and
//! adds the products in one instruction (`pmaddwd` and its like, which [`wide`] names `dot`), so a weight of 24 bits is
//! cut into two halves that fit, and two rows are summed at a time. Columns are summed as rows: 16 lines at once
//! are turned by 90 degrees, and turned back behind the sum.

use std::ops::Range;

use wide::{i16x8, i32x4, i32x8, u8x16};

use super::taps::{Taps, WEIGHT_BITS};

/// Bits of a weight's lower half, which has no sign. The upper half then has 13 with its sign.
const LOW_BITS: u32 = 11;
/// Samples that are summed side by side, and lines that are turned at once.
const LANES: usize = 16;
const ONE_HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// The halves of two neighbouring weights, for every pair of 16-bit lanes.
struct WeightPair {
    low: i16x8,
    high: i16x8,
}

impl WeightPair {
    fn new(weights: &[i32]) -> Self {
        let [first, second] = [0, 1].map(|i| weights.get(i).copied().unwrap_or(0));
        let both = |first: i32, second: i32| {
            let [first, second] = [first, second]
                .map(|half| i16::try_from(half).expect("a weight is below 2 in size"));
            i16x8::new([first, second, first, second, first, second, first, second])
        };
        let low = |weight: i32| weight & ((1 << LOW_BITS) - 1);
        Self {
            low: both(low(first), low(second)),
            high: both(first >> LOW_BITS, second >> LOW_BITS),
        }
    }
}

/// Brings `rows`, `stride` bytes each and beginning at source row `first_row`, to the rows of `down`, keeping only `bytes` of each.
pub(super) fn vertical(
    rows: &[u8],
    stride: usize,
    bytes: Range<usize>,
    down: &Taps,
    first_row: usize,
) -> Vec<u8> {
    let width = bytes.len();
    let mut out = vec![0; down.len() * width];
    let mut pairs = Vec::new();
    for (index, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
        let (start, weights) = down.get(index);
        pairs.clear();
        pairs.extend(weights.chunks(2).map(WeightPair::new));
        let used = &rows[(start - first_row) * stride..];
        let wide = width / LANES * LANES;
        for (i, out) in out[..wide].chunks_exact_mut(LANES).enumerate() {
            let column = bytes.start + i * LANES;
            out.copy_from_slice(sum(used, stride, column, (weights.len(), &pairs)).as_array());
        }
        for (i, out) in out[wide..].iter_mut().enumerate() {
            *out = sum_one(used, stride, bytes.start + wide + i, weights);
        }
    }
    out
}

/// The weighted sum of the bytes at `column` and the next 15 of the first `count` rows.
#[inline]
fn sum(rows: &[u8], stride: usize, column: usize, (count, pairs): (usize, &[WeightPair])) -> u8x16 {
    let mut lows = [i32x4::splat(ONE_HALF); 4];
    let mut highs = [i32x4::ZERO; 4];
    let mut at = column;
    for (i, pair) in pairs.iter().enumerate() {
        let first = load(&rows[at..]);
        // The last weight of an odd number has no partner: its partner's weight is 0.
        let second = if 2 * i + 1 < count {
            load(&rows[at + stride..])
        } else {
            u8x16::ZERO
        };
        at += 2 * stride;
        let mixed = [
            u8x16::unpack_low(first, second),
            u8x16::unpack_high(first, second),
        ];
        for (half, mixed) in mixed.into_iter().enumerate() {
            let samples = [i16x8::from_u8x16_low(mixed), i16x8::from_u8x16_high(mixed)];
            for (quarter, samples) in samples.into_iter().enumerate() {
                lows[2 * half + quarter] += samples.dot(pair.low);
                highs[2 * half + quarter] += samples.dot(pair.high);
            }
        }
    }
    let mut sums = [i32x4::ZERO; 4];
    for (sum, (low, high)) in sums.iter_mut().zip(lows.into_iter().zip(highs)) {
        *sum = ((high << LOW_BITS) + low) >> WEIGHT_BITS;
    }
    // Saturating twice is clamping to a byte.
    let narrow = |low: i32x4, high: i32x4| {
        i16x8::from_i32x8_saturate(bytemuck::cast::<_, i32x8>([low, high]))
    };
    u8x16::narrow_i16x8(narrow(sums[0], sums[1]), narrow(sums[2], sums[3]))
}

#[inline]
fn load(bytes: &[u8]) -> u8x16 {
    let lanes = bytes.first_chunk().expect("rows have 16 bytes from here");
    u8x16::new(*lanes)
}

/// The same for a single byte.
fn sum_one(rows: &[u8], stride: usize, column: usize, weights: &[i32]) -> u8 {
    let samples = rows[column..].iter().step_by(stride);
    let sum = samples
        .zip(weights)
        .fold(ONE_HALF, |sum, (sample, weight)| {
            // Cannot overflow: see WEIGHT_BITS. Wrapping spares the check.
            sum.wrapping_add(i32::from(*sample).wrapping_mul(*weight))
        });
    (sum >> WEIGHT_BITS).clamp(0, 255).to_le_bytes()[0]
}

/// Brings every row of `rows`, `stride` bytes each and beginning at source column `first_column`, to the columns of `across`.
pub(super) fn horizontal(
    rows: &[u8],
    stride: usize,
    across: &Taps,
    first_column: usize,
) -> Vec<u8> {
    let reach = across.reach();
    let needed = (reach.start - first_column) * 3..(reach.end - first_column) * 3;
    let out_stride = across.len() * 3;
    let mut out = vec![0; rows.len() / stride * out_stride];
    let mut turned = vec![0; needed.len() * LANES];
    let strips = rows.chunks(LANES * stride);
    for (strip, out) in strips.zip(out.chunks_mut(LANES * out_stride)) {
        turn(strip, stride, needed.clone(), &mut turned);
        let summed = vertical(&turned, 3 * LANES, 0..3 * LANES, across, reach.start);
        turn_back(&summed, out, out_stride);
    }
    out
}

/// Writes `columns` of up to 16 rows into `turned`, 16 bytes a column, one for each row.
fn turn(rows: &[u8], stride: usize, columns: Range<usize>, turned: &mut [u8]) {
    for (block, out) in turned.chunks_mut(LANES * LANES).enumerate() {
        let first = columns.start + block * LANES;
        let width = out.len() / LANES;
        let mut lines = [u8x16::ZERO; LANES];
        for (line, row) in lines.iter_mut().zip(rows.chunks_exact(stride)) {
            *line = load_some(&row[first..][..width]);
        }
        for (out, line) in out.chunks_exact_mut(LANES).zip(transpose(lines)) {
            out.copy_from_slice(line.as_array());
        }
    }
}

/// The reverse: 16 bytes a column to up to 16 rows of `stride` bytes.
fn turn_back(turned: &[u8], rows: &mut [u8], stride: usize) {
    for (block, columns) in turned.chunks(LANES * LANES).enumerate() {
        let first = block * LANES;
        let width = columns.len() / LANES;
        let mut lines = [u8x16::ZERO; LANES];
        for (line, column) in lines.iter_mut().zip(columns.chunks_exact(LANES)) {
            *line = load(column);
        }
        for (row, line) in rows.chunks_exact_mut(stride).zip(transpose(lines)) {
            row[first..first + width].copy_from_slice(&line.as_array()[..width]);
        }
    }
}

/// Up to 16 bytes, the rest 0.
#[inline]
fn load_some(bytes: &[u8]) -> u8x16 {
    if let Some(lanes) = bytes.first_chunk() {
        return u8x16::new(*lanes);
    }
    let mut lanes = [0; LANES];
    lanes[..bytes.len()].copy_from_slice(bytes);
    u8x16::new(lanes)
}

/// Exchanges rows and columns of a square of bytes: four perfect shuffles of its lines do it.
#[inline]
fn transpose(mut lines: [u8x16; LANES]) -> [u8x16; LANES] {
    for _ in 0..4 {
        let mut shuffled = [u8x16::ZERO; LANES];
        for i in 0..LANES / 2 {
            shuffled[2 * i] = u8x16::unpack_low(lines[i], lines[i + LANES / 2]);
            shuffled[2 * i + 1] = u8x16::unpack_high(lines[i], lines[i + LANES / 2]);
        }
        lines = shuffled;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_exchanged() {
        let byte = |line: usize, column: usize| (line * LANES + column).to_le_bytes()[0];
        let square = std::array::from_fn(|line| u8x16::new(std::array::from_fn(|i| byte(line, i))));
        for (line, lanes) in transpose(square).into_iter().enumerate() {
            assert_eq!(lanes.to_array(), std::array::from_fn(|i| byte(i, line)));
        }
    }

    #[test]
    fn sixteen_sums_are_those_of_single_bytes() {
        let stride = 19;
        let rows: Vec<u8> = (0..stride * 7)
            .map(|i| (i * 37 % 251_usize).to_le_bytes()[0])
            .collect();
        for weights in [
            vec![4_194_304],
            vec![-400_000, 2_500_000, 2_500_000, -405_696],
            vec![5_000_000, -900_000, 94_304],
            vec![-2_000_000; 3],
            vec![4_000_000; 2],
        ] {
            let pairs: Vec<_> = weights.chunks(2).map(WeightPair::new).collect();
            let together = sum(&rows, stride, 2, (weights.len(), &pairs));
            for (i, found) in together.to_array().into_iter().enumerate() {
                assert_eq!(
                    found,
                    sum_one(&rows, stride, 2 + i, &weights),
                    "{weights:?}"
                );
            }
        }
    }
}
