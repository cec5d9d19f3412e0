//! From coefficients to samples at a fraction of the size, eight blocks at a time.
//!
//! A sample at 1/2, 1/4 or 1/8 is the mean of the 2, 4 or 8 samples that it stands for, in either direction, as in
//! libjpeg-turbo; the inverse transform (ITU-T T.81, A.3.3) is taken to those means directly. Frequencies that hardly
//! matter to a picture which is going to be made much smaller yet are left out: see [`last_wanted`].

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use wide::{f32x8, i16x8, i32x8, u8x16};

use crate::block::{Group, LANES};

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
pub(crate) type Transform = fn(&Group, &[f32; 64], &mut [u8], usize);

/// The transform of blocks to `columns` by `rows` samples, if there is one.
pub(crate) fn transform(columns: usize, rows: usize) -> Option<Transform> {
    Some(match (columns, rows) {
        (1, 1) => write::<1, 1, One>,
        (2, 1) => write::<2, 1, Few>,
        (1, 2) => write::<1, 2, Few>,
        (2, 2) => write::<2, 2, Few>,
        (4, 2) => write::<4, 2, Low>,
        (2, 4) => write::<2, 4, Low>,
        (4, 4) => write::<4, 4, Low>,
        (8, 4) => write::<8, 4, All>,
        (4, 8) => write::<4, 8, All>,
        (8, 8) => write::<8, 8, All>,
        _ => return None,
    })
}

/// The last coefficient, in zigzag order, that the transform to so many columns and rows looks at.
///
/// At half the size these are the first six diagonals. Measured against all of them on photos that were then made smaller
/// by six or more (which is all this is for), the result is even closer to that of the whole picture: what is left out
/// is mostly what a mean over two samples turns into a frequency that is not there.
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

/// What coefficients are multiplied by, in zigzag order: their quantisation steps, and the factors that the transform
/// leaves out.
pub(crate) fn factors(steps: &[u16; 64], columns: usize, rows: usize) -> [f32; 64] {
    let mut factors = [0.0; 64];
    for ((factor, step), (row, column)) in factors.iter_mut().zip(steps).zip(ZIGZAG) {
        *factor = f32::from(*step) * scale(row, rows) * scale(column, columns);
    }
    factors
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
fn angle(sixteenths: usize) -> f32 {
    (sixteenths as f32 * std::f32::consts::PI / 16.0).cos()
}

/// The mean of a frequency over the eighths that sample `at` of `samples` covers.
fn mean(frequency: usize, at: usize, samples: usize) -> f32 {
    let each = 8 / samples;
    let covered = at * each..(at + 1) * each;
    let sum: f32 = covered.map(|x| angle((2 * x + 1) * frequency % 32)).sum();
    0.5 * sum / each as f32
}

fn write<const COLUMNS: usize, const ROWS: usize, C: Choice>(
    group: &Group,
    factors: &[f32; 64],
    plane: &mut [u8],
    stride: usize,
) {
    let vertical = |column: usize| {
        direction::<ROWS>(|row| {
            let index = ORDER[row][column];
            (index <= C::LAST).then(|| load(group, factors, index))
        })
    };
    // The first row of the coefficients says which columns have any.
    let used = |column: usize| ORDER[0][column] <= C::LAST && is_used(column, COLUMNS);
    let column = |at: usize| if used(at) { vertical(at) } else { [f32x8::ZERO; ROWS] };
    let columns = [
        column(0),
        column(1),
        column(2),
        column(3),
        column(4),
        column(5),
        column(6),
        column(7),
    ];
    for (row, plane) in (0..ROWS).zip(plane.chunks_mut(stride)) {
        let samples = direction::<COLUMNS>(|column| used(column).then(|| columns[column][row]));
        store(samples, plane);
    }
}

/// Whether a frequency contributes to so many samples: those that means are taken over cancel out in some.
fn is_used(frequency: usize, samples: usize) -> bool {
    match samples {
        1 => frequency == 0,
        2 => frequency < 2,
        4 => frequency != 4,
        _ => true,
    }
}

#[inline(always)]
fn load(group: &Group, factors: &[f32; 64], index: usize) -> f32x8 {
    let lanes = group[index * LANES..][..LANES].first_chunk::<LANES>();
    let levels = i16x8::new(*lanes.expect("as many as were cut out"));
    let level = i32x8::from_i16x8(levels).round_float() * f32x8::splat(factors[index]);
    if index == 0 { level + f32x8::splat(128.0) } else { level }
}

/// One direction of the transform, of the frequencies that there are.
#[inline(always)]
fn direction<const SAMPLES: usize>(get: impl Fn(usize) -> Option<f32x8>) -> [f32x8; SAMPLES] {
    let mut samples = [f32x8::ZERO; SAMPLES];
    let zero = f32x8::ZERO;
    let or_zero = |frequency| get(frequency).unwrap_or(zero);
    match SAMPLES {
        1 => samples[0] = or_zero(0),
        2 => {
            let (even, odd) = (or_zero(0), or_zero(1));
            samples.copy_from_slice(&[even + odd, even - odd]);
        }
        4 => samples.copy_from_slice(&four(&get)),
        _ => samples.copy_from_slice(&eight([
            or_zero(0),
            or_zero(1),
            or_zero(2),
            or_zero(3),
            or_zero(4),
            or_zero(5),
            or_zero(6),
            or_zero(7),
        ])),
    }
    samples
}

/// Means of two of the eight samples. Where the means of frequency 1 are 1 and `T`, those of 7 are, too; those of 3 and 5
/// are 1 and `-S`.
#[inline(always)]
fn four(get: &impl Fn(usize) -> Option<f32x8>) -> [f32x8; 4] {
    const T: f32 = SQRT_2 - 1.0;
    const S: f32 = SQRT_2 + 1.0;
    let sum = |a: Option<f32x8>, b: Option<f32x8>| match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (one, None) | (None, one) => one,
    };
    let flat = get(0).unwrap_or(f32x8::ZERO);
    let (outer, inner) = match sum(get(2), get(6)) {
        Some(bent) => (flat + bent, flat - bent),
        None => (flat, flat),
    };
    let (odd_outer, odd_inner) = match (sum(get(1), get(7)), sum(get(3), get(5))) {
        (Some(low), Some(high)) => (
            low + high,
            low * f32x8::splat(T) - high * f32x8::splat(S),
        ),
        (Some(low), None) => (low, low * f32x8::splat(T)),
        (None, Some(high)) => (high, high * f32x8::splat(-S)),
        (None, None) => return [outer, inner, inner, outer],
    };
    [
        outer + odd_outer,
        inner + odd_inner,
        inner - odd_inner,
        outer - odd_outer,
    ]
}

/// All eight samples, by Arai, Agui and Nakajima's five multiplications.
#[inline(always)]
fn eight(c: [f32x8; 8]) -> [f32x8; 8] {
    let times = |value: f32x8, factor: f32| value * f32x8::splat(factor);
    let (sum04, difference04) = (c[0] + c[4], c[0] - c[4]);
    let sum26 = c[2] + c[6];
    let rest26 = times(c[2] - c[6], SQRT_2) - sum26;
    let even = [
        sum04 + sum26,
        difference04 + rest26,
        difference04 - rest26,
        sum04 - sum26,
    ];
    let (sum53, difference53) = (c[5] + c[3], c[5] - c[3]);
    let (sum17, difference17) = (c[1] + c[7], c[1] - c[7]);
    let odd0 = sum17 + sum53;
    let turned = times(difference53 + difference17, 1.847_759);
    let odd1 = turned - times(difference53, 2.613_126) - odd0;
    let odd2 = times(sum17 - sum53, SQRT_2) - odd1;
    let odd3 = turned - times(difference17, 1.082_392_2) - odd2;
    [
        even[0] + odd0,
        even[1] + odd1,
        even[2] + odd2,
        even[3] + odd3,
        even[3] - odd3,
        even[2] - odd2,
        even[1] - odd1,
        even[0] - odd0,
    ]
}

/// Writes the samples of one row of eight blocks, `SAMPLES` of each block in turn.
#[inline(always)]
fn store<const SAMPLES: usize>(samples: [f32x8; SAMPLES], to: &mut [u8]) {
    let level = |at: usize| i16x8::from_i32x8_saturate(samples[at].fast_round_int());
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
