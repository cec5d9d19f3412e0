//! From coefficients to samples at a fraction of the size, eight blocks at a time.
//!
//! A sample at 1/2, 1/4 or 1/8 is the mean of the 2, 4 or 8 samples that it stands for, in either direction, as in
//! libjpeg-turbo; the inverse transform (ITU-T T.81, A.3.3) is taken to those means directly. At less than a half, frequencies
//! are left out that hardly matter to a picture which is going to be made much smaller yet: see [`last_wanted`].
//!
//! Levels are 16-bit integers with five bits behind the point, and saturate: only coefficients that no encoder computes from
//! 8-bit samples come near the ends.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use bytemuck::cast;
use wide::{i16x8, u8x16, u16x8};

use crate::Refused;
use crate::block::{Block, Group};

/// Row and column of each coefficient in the order they come in.
pub(crate) const ZIGZAG: [(usize, usize); 64] = zigzag();
/// The reverse, by row and column.
const ORDER: [[usize; 8]; 8] = order();

const fn zigzag() -> [(usize, usize); 64] {
    let mut order = [(0, 0); 64];
    let (mut row, mut column) = (0, 0);
    let mut index = 0;
    while index < 64 {
        order[index] = (row, column);
        index += 1;
        if (row + column) % 2 == 0 {
            if column == 7 {
                row += 1;
            } else if row == 0 {
                column += 1;
            } else {
                row -= 1;
                column += 1;
            }
        } else if row == 7 {
            column += 1;
        } else if column == 0 {
            row += 1;
        } else {
            row += 1;
            column -= 1;
        }
    }
    order
}

const fn order() -> [[usize; 8]; 8] {
    let mut order = [[0; 8]; 8];
    let mut index = 0;
    while index < 64 {
        let (row, column) = ZIGZAG[index];
        order[row][column] = index;
        index += 1;
    }
    order
}

/// Makes the samples of eight blocks out of their coefficients and of what [`factors`] gave. They are written side by
/// side, from the start of `plane` on, whose rows are `stride` apart.
pub(crate) type Transform = fn(&Group, &[Factor; 64], &mut [u8], usize);

/// The transforms of blocks to `columns` by `rows` samples, if there are any: one for blocks whose coefficients from index
/// [`REACH`] on are zero, and one for others.
pub(crate) fn transforms(columns: usize, rows: usize) -> Option<[Transform; 2]> {
    Some(match (columns, rows) {
        (1, 1) => [write::<1, 1, One>; 2],
        (2, 1) => [write::<2, 1, Few>; 2],
        (1, 2) => [write::<1, 2, Few>; 2],
        (2, 2) => [write::<2, 2, Few>; 2],
        (4, 2) => [write::<4, 2, Low>; 2],
        (2, 4) => [write::<2, 4, Low>; 2],
        (4, 4) => [write::<4, 4, Low>, write::<4, 4, All>],
        (8, 4) => [write::<8, 4, Low>, write::<8, 4, All>],
        (4, 8) => [write::<4, 8, Low>, write::<4, 8, All>],
        (8, 8) => [write::<8, 8, Low>, write::<8, 8, All>],
        _ => return None,
    })
}

/// See [`transforms`].
pub(crate) const REACH: usize = Low::LAST + 1;

/// The last coefficient, in zigzag order, that the transform to so many columns and rows looks at.
///
/// At half the size all are used that means over two samples do not cancel. Where means are over four or eight, the high
/// frequencies that are left out would mostly be turned into low ones that are not there: measured on photos that are then
/// made smaller by six or more, which is all this is for, the result is closer to that of the whole picture without them.
pub(crate) fn last_wanted(columns: usize, rows: usize) -> usize {
    match columns.max(rows) {
        1 => One::LAST,
        2 => Few::LAST,
        4 => Low::LAST,
        _ => All::LAST,
    }
}

/// Which coefficients are used.
trait Choice {
    const LAST: usize;
}

struct One;
struct Few;
struct Low;
struct All;

impl Choice for One {
    const LAST: usize = 0;
}

impl Choice for Few {
    const LAST: usize = 4;
}

impl Choice for Low {
    const LAST: usize = 20;
}

impl Choice for All {
    const LAST: usize = 63;
}

/// Bits behind the point of what is calculated with.
const FRACTION: u32 = 5;

/// What a coefficient is multiplied by: its quantisation step, and the factors that the transform leaves out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Factor {
    /// 16 times the step, for each block. A coefficient of 8-bit samples times its step has 12 bits.
    step: i16x8,
    /// The rest, in 17 bits behind the point.
    rest: i16x8,
    /// What times the rest is a half: without it products would all be cut off to the same side.
    half: i16x8,
}

/// Those of all coefficients, in zigzag order.
pub(crate) fn factors(
    steps: &[u16; 64],
    columns: usize,
    rows: usize,
) -> Result<[Factor; 64], Refused> {
    let mut factors = [Factor::default(); 64];
    for ((factor, step), (row, column)) in factors.iter_mut().zip(steps).zip(ZIGZAG) {
        let step = i16::try_from(u32::from(*step) * 16)
            .map_err(|_| Refused::Unsupported("a quantisation step of over 2047"))?;
        let rest = (scale(row, rows) * scale(column, columns) * 131_072.0).round() as i16;
        *factor = Factor {
            step: i16x8::splat(step),
            rest: i16x8::splat(rest),
            half: i16x8::splat(if rest == 0 {
                0
            } else {
                (32_768 / i32::from(rest)) as i16
            }),
        };
    }
    Ok(factors)
}

/// The factor of one direction: of the first sample for the odd frequencies and the second of the even ones, whose sizes
/// are then relative to it.
fn scale(frequency: usize, samples: usize) -> f32 {
    match (frequency, samples) {
        (0, _) => 0.5 * FRAC_1_SQRT_2,
        // As AAN's transform wants it: the even and odd rotations come out of five multiplications.
        (_, 8) => 0.5 * FRAC_1_SQRT_2 * SQRT_2 * angle(frequency),
        _ => mean(frequency, 0, samples),
    }
}

/// cos(i * pi / 16).
#[expect(clippy::cast_precision_loss, reason = "31 at most")]
fn angle(sixteenths: usize) -> f32 {
    (sixteenths as f32 * std::f32::consts::PI / 16.0).cos()
}

/// The mean of a frequency over the eighths that sample `at` of `samples` covers.
fn mean(frequency: usize, at: usize, samples: usize) -> f32 {
    let each = 8 / samples;
    let covered = at * each..(at + 1) * each;
    let sum: f32 = covered.map(|x| angle((2 * x + 1) * frequency % 32)).sum();
    0.5 * sum / f32::from(each as u8)
}

fn write<const COLUMNS: usize, const ROWS: usize, C: Choice>(
    group: &Group,
    factors: &[Factor; 64],
    plane: &mut [u8],
    stride: usize,
) {
    let mut lanes = [[i16x8::ZERO; 8]; 8];
    for (number, lanes) in lanes.iter_mut().enumerate().take(C::LAST / 8 + 1) {
        *lanes = transposed(group, number * 8);
    }
    let coefficients = Coefficients { lanes, factors };
    let columns = [
        coefficients.column::<COLUMNS, ROWS, C>(0),
        coefficients.column::<COLUMNS, ROWS, C>(1),
        coefficients.column::<COLUMNS, ROWS, C>(2),
        coefficients.column::<COLUMNS, ROWS, C>(3),
        coefficients.column::<COLUMNS, ROWS, C>(4),
        coefficients.column::<COLUMNS, ROWS, C>(5),
        coefficients.column::<COLUMNS, ROWS, C>(6),
        coefficients.column::<COLUMNS, ROWS, C>(7),
    ];
    for (row, plane) in (0..ROWS).zip(plane.chunks_mut(stride)) {
        let samples = direction::<COLUMNS>([
            at_row::<COLUMNS, ROWS, C>(&columns, 0, row),
            at_row::<COLUMNS, ROWS, C>(&columns, 1, row),
            at_row::<COLUMNS, ROWS, C>(&columns, 2, row),
            at_row::<COLUMNS, ROWS, C>(&columns, 3, row),
            at_row::<COLUMNS, ROWS, C>(&columns, 4, row),
            at_row::<COLUMNS, ROWS, C>(&columns, 5, row),
            at_row::<COLUMNS, ROWS, C>(&columns, 6, row),
            at_row::<COLUMNS, ROWS, C>(&columns, 7, row),
        ]);
        store(samples, plane);
    }
}

#[inline(always)]
fn at_row<const COLUMNS: usize, const ROWS: usize, C: Choice>(
    columns: &[[i16x8; ROWS]; 8],
    column: usize,
    row: usize,
) -> Option<i16x8> {
    has_column::<COLUMNS, C>(column).then_some(columns[column][row])
}

/// Whether a column has wanted coefficients; if it has any, the first is one.
#[inline(always)]
fn has_column<const COLUMNS: usize, C: Choice>(column: usize) -> bool {
    ORDER[0][column] <= C::LAST && is_used(column, COLUMNS)
}

/// Whether a frequency contributes to so many samples: those that means are taken over cancel out in some.
#[inline(always)]
fn is_used(frequency: usize, samples: usize) -> bool {
    match samples {
        1 => frequency == 0,
        2 => frequency < 2,
        4 => frequency != 4,
        _ => true,
    }
}

/// Eight coefficients of eight blocks each: by coefficient.
#[inline(always)]
fn transposed(group: &Group, first: usize) -> [i16x8; 8] {
    let row = |block: &Block| -> u16x8 {
        let coefficients = block[first..first + 8].first_chunk::<8>();
        cast(*coefficients.expect("as many as were cut out"))
    };
    u16x8::transpose(group.each_ref().map(row)).map(cast)
}

struct Coefficients<'a> {
    /// By coefficient, in rows of eight.
    lanes: [[i16x8; 8]; 8],
    factors: &'a [Factor; 64],
}

impl Coefficients<'_> {
    /// The transform of one column.
    #[inline(always)]
    fn column<const COLUMNS: usize, const ROWS: usize, C: Choice>(
        &self,
        column: usize,
    ) -> [i16x8; ROWS] {
        if !has_column::<COLUMNS, C>(column) {
            return [i16x8::ZERO; ROWS];
        }
        direction([
            self.load::<ROWS, C>(0, column),
            self.load::<ROWS, C>(1, column),
            self.load::<ROWS, C>(2, column),
            self.load::<ROWS, C>(3, column),
            self.load::<ROWS, C>(4, column),
            self.load::<ROWS, C>(5, column),
            self.load::<ROWS, C>(6, column),
            self.load::<ROWS, C>(7, column),
        ])
    }

    #[inline(always)]
    fn load<const ROWS: usize, C: Choice>(&self, row: usize, column: usize) -> Option<i16x8> {
        let index = ORDER[row][column];
        if index > C::LAST || !is_used(row, ROWS) {
            return None;
        }
        let levels = self.lanes[index / 8][index % 8];
        let factor = &self.factors[index];
        let level = (levels * factor.step + factor.half).mul_keep_high(factor.rest);
        // Levels are stored less 128; a half makes cutting off the fraction round.
        let shift = i16x8::splat((128 << FRACTION) + (1 << (FRACTION - 1)));
        Some(if index == 0 {
            plus(level, shift)
        } else {
            level
        })
    }
}

#[inline(always)]
fn plus(a: i16x8, b: i16x8) -> i16x8 {
    a.saturating_add(b)
}

#[inline(always)]
fn minus(a: i16x8, b: i16x8) -> i16x8 {
    a.saturating_sub(b)
}

/// `value * factor`, which is from -1/2 to 1/2.
#[inline(always)]
fn times(value: i16x8, factor: f32) -> i16x8 {
    value.mul_keep_high(i16x8::splat((factor * 65_536.0).round() as i16))
}

/// One direction of the transform, of the frequencies that there are.
#[inline(always)]
fn direction<const SAMPLES: usize>(given: [Option<i16x8>; 8]) -> [i16x8; SAMPLES] {
    let mut samples = [i16x8::ZERO; SAMPLES];
    let or_zero = |frequency: usize| given[frequency].unwrap_or(i16x8::ZERO);
    match SAMPLES {
        1 => samples[0] = or_zero(0),
        2 => {
            let (even, odd) = (or_zero(0), or_zero(1));
            samples.copy_from_slice(&[plus(even, odd), minus(even, odd)]);
        }
        4 => samples.copy_from_slice(&four(given)),
        _ => samples.copy_from_slice(&eight(given.map(Option::unwrap_or_default))),
    }
    samples
}

/// Means of two of the eight samples each. Where the means of frequency 1 are 1 and `T`, those of 7 are, too; those of 3
/// and 5 are 1 and `-T - 2`.
#[inline(always)]
fn four(given: [Option<i16x8>; 8]) -> [i16x8; 4] {
    const T: f32 = SQRT_2 - 1.0;
    let flat = given[0].unwrap_or(i16x8::ZERO);
    let (outer, inner) = match either(given[2], given[6]) {
        Some(bent) => (plus(flat, bent), minus(flat, bent)),
        None => (flat, flat),
    };
    let low = either(given[1], given[7]);
    let high = either(given[3], given[5]);
    let (odd_outer, odd_inner) = match (low, high) {
        (Some(low), Some(high)) => (
            plus(low, high),
            minus(times(minus(low, high), T), plus(high, high)),
        ),
        (Some(low), None) => (low, times(low, T)),
        (None, Some(high)) => (high, minus(times(high, -T), plus(high, high))),
        (None, None) => return [outer, inner, inner, outer],
    };
    [
        plus(outer, odd_outer),
        plus(inner, odd_inner),
        minus(inner, odd_inner),
        minus(outer, odd_outer),
    ]
}

/// The sum of what there is.
#[inline(always)]
fn either(a: Option<i16x8>, b: Option<i16x8>) -> Option<i16x8> {
    match (a, b) {
        (Some(a), Some(b)) => Some(plus(a, b)),
        (one, None) | (None, one) => one,
    }
}

/// All eight samples, by Arai, Agui and Nakajima's five multiplications.
#[inline(always)]
fn eight(c: [i16x8; 8]) -> [i16x8; 8] {
    let times_root = |value: i16x8| plus(value, times(value, SQRT_2 - 1.0));
    let (sum04, difference04) = (plus(c[0], c[4]), minus(c[0], c[4]));
    let sum26 = plus(c[2], c[6]);
    let rest26 = minus(times_root(minus(c[2], c[6])), sum26);
    let even = [
        plus(sum04, sum26),
        plus(difference04, rest26),
        minus(difference04, rest26),
        minus(sum04, sum26),
    ];
    let (sum53, difference53) = (plus(c[5], c[3]), minus(c[5], c[3]));
    let (sum17, difference17) = (plus(c[1], c[7]), minus(c[1], c[7]));
    let odd0 = plus(sum17, sum53);
    // 1.847759, 2.613126 and 1.082392 times.
    let both = plus(difference53, difference17);
    let turned = plus(plus(both, both), times(both, -0.152_241));
    let twice = plus(difference53, difference53);
    let much = plus(plus(twice, difference53), times(difference53, -0.386_874));
    let odd1 = minus(minus(turned, much), odd0);
    let odd2 = minus(times_root(minus(sum17, sum53)), odd1);
    let little = plus(difference17, times(difference17, 0.082_392));
    let odd3 = minus(minus(turned, little), odd2);
    [
        plus(even[0], odd0),
        plus(even[1], odd1),
        plus(even[2], odd2),
        plus(even[3], odd3),
        minus(even[3], odd3),
        minus(even[2], odd2),
        minus(even[1], odd1),
        minus(even[0], odd0),
    ]
}

/// Writes the samples of one row of eight blocks, `SAMPLES` of each block in turn.
#[inline(always)]
fn store<const SAMPLES: usize>(samples: [i16x8; SAMPLES], to: &mut [u8]) {
    let level = |at: usize| samples[at] >> FRACTION;
    let levels = |low: usize, high: usize| u8x16::narrow_i16x8(level(low), level(high));
    let zip = |a: u8x16, b: u8x16| [u8x16::unpack_low(a, b), u8x16::unpack_high(a, b)];
    match SAMPLES {
        1 => to[..8].copy_from_slice(&levels(0, 0).to_array()[..8]),
        2 => {
            let both = u8x16::unpack_low(levels(0, 0), levels(1, 1));
            to[..16].copy_from_slice(&both.to_array());
        }
        4 => {
            let [even, odd] = zip(levels(0, 1), levels(2, 3));
            let all = zip(even, odd);
            write_all(to, all);
        }
        _ => {
            let [by0, by1] = zip(levels(0, 1), levels(4, 5));
            let [by2, by3] = zip(levels(2, 3), levels(6, 7));
            let even = zip(by0, by2);
            let odd = zip(by1, by3);
            let [first, second] = [zip(even[0], odd[0]), zip(even[1], odd[1])];
            write_all(to, [first[0], first[1], second[0], second[1]]);
        }
    }
}

#[inline(always)]
fn write_all<const N: usize>(to: &mut [u8], vectors: [u8x16; N]) {
    let (chunks, _) = to[..N * 16].as_chunks_mut::<16>();
    for (chunk, vector) in chunks.iter_mut().zip(vectors) {
        *chunk = vector.to_array();
    }
}
