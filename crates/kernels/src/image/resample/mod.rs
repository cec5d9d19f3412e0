//! The two passes of a resize of 8-bit pictures: weighted sums of rows, and of columns.
//!
//! `media` calls this with the weights of Pillow's filter. A sum is `samples x weights` in 32 bits, exactly, so every level
//! of instructions gives the same bytes. They all multiply 16-bit numbers in pairs and add the products in one instruction
//! (`pmaddwd` and its like), so a weight of 24 bits is cut into two halves that fit, and two rows are summed at a time.
//! Columns are summed as rows: some lines at once are turned by 90 degrees, and turned back behind the sum.

mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use crate::dispatch::Cpu;
#[cfg(target_arch = "x86_64")]
use crate::dispatch::Isa;

/// Fractional bits of a weight: 32 less 8 for the sample and 2 for overshoot.
pub const WEIGHT_BITS: u32 = 22;
/// Bits of a weight's lower half, which has no sign. The upper half then has 13 with its sign.
const LOW_BITS: u32 = 11;
const ONE_HALF: i32 = 1 << (WEIGHT_BITS - 1);
/// Samples of a row that are turned at a time.
const SQUARE: usize = 16;
/// Lanes of the widest vectors.
const MAX_LANES: usize = 32;

/// For each output position of a pass: where its source samples begin and their weights.
#[derive(Debug)]
pub struct Taps {
    outputs: Vec<Output>,
    pairs: Vec<Pair>,
}

#[derive(Clone, Copy, Debug)]
struct Output {
    /// The first source sample.
    start: usize,
    /// How many there are.
    count: usize,
    /// Where in `pairs` their weights begin.
    pairs: usize,
}

/// The halves of two neighbouring weights; where a weight has no neighbour, that one's halves are 0.
#[derive(Clone, Copy, Debug)]
struct Pair {
    low: [i16; 2],
    high: [i16; 2],
}

impl Pair {
    fn new(weights: &[i32]) -> Self {
        let [first, second] = [0, 1].map(|i| weights.get(i).copied().unwrap_or(0));
        let half = |half: i32| i16::try_from(half).expect("a weight is below 2 in size");
        let low = |weight: i32| half(weight & ((1 << LOW_BITS) - 1));
        let high = |weight: i32| half(weight >> LOW_BITS);
        Self {
            low: [low(first), low(second)],
            high: [high(first), high(second)],
        }
    }

    /// Of the first or second weight of the pair.
    fn weight(self, which: usize) -> i32 {
        i32::from(self.high[which]) << LOW_BITS | i32::from(self.low[which])
    }
}

impl Taps {
    /// None, with room for so many outputs of so many samples each.
    pub fn with_capacity(outputs: usize, samples: usize) -> Self {
        Self {
            outputs: Vec::with_capacity(outputs),
            pairs: Vec::with_capacity(outputs * samples.div_ceil(2)),
        }
    }

    /// Adds the next output: where its samples begin, which may not be before the last one's, and their weights, in
    /// [`WEIGHT_BITS`] bits behind the point.
    ///
    /// # Panics
    /// If there is no weight, one is 2 or more in size, or the samples begin before the last output's.
    pub fn push(&mut self, start: usize, weights: &[i32]) {
        assert!(!weights.is_empty());
        assert!(self.outputs.last().is_none_or(|last| last.start <= start));
        self.outputs.push(Output {
            start,
            count: weights.len(),
            pairs: self.pairs.len(),
        });
        self.pairs.extend(weights.chunks(2).map(Pair::new));
    }

    /// Outputs.
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Whether there is no output.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// From the first source sample that any output needs to behind the last.
    pub fn reach(&self) -> Range<usize> {
        let start = self.outputs.first().map_or(0, |first| first.start);
        let ends = self
            .outputs
            .iter()
            .map(|output| output.start + output.count);
        start..ends.max().unwrap_or(start)
    }

    fn pairs(&self, output: &Output) -> &[Pair] {
        &self.pairs[output.pairs..][..output.count.div_ceil(2)]
    }
}

/// Rows of bytes without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    /// All of them.
    pub bytes: &'a [u8],
    /// Bytes of a row, at least 1.
    pub stride: usize,
    /// The source position of the first row (of [`sum_rows`]) or column (of [`sum_columns`]) that is there.
    pub first: usize,
}

/// Brings rows to those of `down`, keeping only `kept` of the bytes of each.
///
/// # Panics
/// If a row or byte that is needed is not there.
pub fn sum_rows(cpu: Cpu, lines: Lines<'_>, kept: Range<usize>, down: &Taps) -> Vec<u8> {
    let mut out = vec![0; down.len() * kept.len()];
    run(
        cpu,
        Rows {
            lines,
            kept,
            taps: down,
            out: &mut out,
        },
    );
    out
}

/// Brings every row of pixels of three bytes to the columns of `across`.
///
/// # Panics
/// If a column that is needed is not there.
pub fn sum_columns(cpu: Cpu, lines: Lines<'_>, across: &Taps) -> Vec<u8> {
    let mut out = vec![0; lines.bytes.len() / lines.stride * across.len() * 3];
    run(
        cpu,
        Columns {
            lines,
            taps: across,
            out: &mut out,
        },
    );
    out
}

fn run(cpu: Cpu, pass: impl Pass) {
    #[cfg(target_arch = "x86_64")]
    if cpu.isa() >= Isa::Avx2 {
        return x86::avx2(cpu, pass);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = cpu;
    pass.run::<portable::Sixteen>();
}

/// Vectors of bytes, in parts of 16 that stay apart where bytes change places.
trait Bytes: Copy {
    /// Bytes of a vector: a multiple of [`SQUARE`].
    const LANES: usize;
    /// 32-bit sums of a quarter of the bytes.
    type Sums: Copy;

    fn zero() -> Self;
    /// The first bytes of `from`.
    fn load(from: &[u8]) -> Self;
    /// Sixteen bytes of each row, which are `stride` apart.
    fn gather(from: &[u8], stride: usize) -> Self;
    fn store(self, to: &mut [u8]);
    /// Bytes of the lower halves of both, in turns.
    fn zip_low(self, other: Self) -> Self;
    /// Bytes of the upper halves.
    fn zip_high(self, other: Self) -> Self;
    fn sums(start: i32) -> Self::Sums;
    /// Adds, for each pair of 16-bit numbers of `self`, their products with the weights.
    fn dot(self, weights: [i16; 2], sums: Self::Sums) -> Self::Sums;
    /// Bytes out of the sums of both halves of all weights, clamped.
    fn finish(lows: [Self::Sums; 4], highs: [Self::Sums; 4]) -> Self;
}

/// What is done with the vectors of one level of instructions.
trait Pass {
    fn run<B: Bytes>(self);
}

struct Rows<'a> {
    lines: Lines<'a>,
    kept: Range<usize>,
    taps: &'a Taps,
    out: &'a mut [u8],
}

impl Pass for Rows<'_> {
    #[inline(always)]
    fn run<B: Bytes>(self) {
        let Lines {
            bytes,
            stride,
            first,
        } = self.lines;
        let width = self.kept.len();
        let rows = self.out.chunks_exact_mut(width.max(1));
        for (output, out) in self.taps.outputs.iter().zip(rows) {
            let pairs = self.taps.pairs(output);
            let rows = &bytes[(output.start - first) * stride..];
            let rows = &rows[self.kept.start..];
            let weights = (output.count, pairs);
            if width < B::LANES {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = sum_one(&rows[i..], stride, weights);
                }
                continue;
            }
            // the last vector ends where the row does, over some of the one before
            let last = width - B::LANES;
            for at in (0..last).step_by(B::LANES).chain([last]) {
                sum::<B>(&rows[at..], stride, weights).store(&mut out[at..]);
            }
        }
    }
}

/// The weighted sum of the first bytes of `count` rows.
#[inline(always)]
fn sum<B: Bytes>(rows: &[u8], stride: usize, (count, pairs): (usize, &[Pair])) -> B {
    let mut lows = [B::sums(ONE_HALF); 4];
    let mut highs = [B::sums(0); 4];
    for (i, pair) in pairs.iter().enumerate() {
        let first = B::load(&rows[2 * i * stride..]);
        // The last weight of an odd number has no partner: its partner's weight is 0.
        let second = if 2 * i + 1 < count {
            B::load(&rows[(2 * i + 1) * stride..])
        } else {
            B::zero()
        };
        let (low, high) = (first.zip_low(second), first.zip_high(second));
        let samples = [
            low.zip_low(B::zero()),
            low.zip_high(B::zero()),
            high.zip_low(B::zero()),
            high.zip_high(B::zero()),
        ];
        for quarter in 0..4 {
            lows[quarter] = samples[quarter].dot(pair.low, lows[quarter]);
            highs[quarter] = samples[quarter].dot(pair.high, highs[quarter]);
        }
    }
    B::finish(lows, highs)
}

/// The same for a single byte.
fn sum_one(rows: &[u8], stride: usize, (count, pairs): (usize, &[Pair])) -> u8 {
    let samples = rows.iter().step_by(stride).take(count);
    let sum = samples.enumerate().fold(ONE_HALF, |sum, (i, sample)| {
        // Cannot overflow: see WEIGHT_BITS. Wrapping spares the check.
        sum.wrapping_add(i32::from(*sample).wrapping_mul(pairs[i / 2].weight(i % 2)))
    });
    (sum >> WEIGHT_BITS).clamp(0, 255).to_le_bytes()[0]
}

struct Columns<'a> {
    lines: Lines<'a>,
    taps: &'a Taps,
    out: &'a mut [u8],
}

impl Pass for Columns<'_> {
    #[inline(always)]
    fn run<B: Bytes>(self) {
        let Lines {
            bytes,
            stride,
            first,
        } = self.lines;
        let reach = self.taps.reach();
        let needed = (reach.start - first) * 3..(reach.end - first) * 3;
        let out_stride = self.taps.len() * 3;
        let mut turned = vec![0; needed.len().next_multiple_of(SQUARE) * B::LANES];
        let mut summed = vec![0; out_stride.next_multiple_of(SQUARE) * B::LANES];
        let strips = bytes.chunks(B::LANES * stride);
        for (strip, out) in strips.zip(self.out.chunks_mut(B::LANES * out_stride)) {
            turn::<B>(strip, stride, needed.clone(), &mut turned);
            let pass = Rows {
                lines: Lines {
                    bytes: &turned,
                    stride: 3 * B::LANES,
                    first: reach.start,
                },
                kept: 0..3 * B::LANES,
                taps: self.taps,
                out: &mut summed[..out_stride * B::LANES],
            };
            pass.run::<B>();
            turn_back::<B>(&summed, out, out_stride);
        }
    }
}

/// Writes `columns` of up to [`Bytes::LANES`] rows into `turned`, a vector for each column; sixteen columns at a time, of
/// which the last may be anything.
#[inline(always)]
fn turn<B: Bytes>(rows: &[u8], stride: usize, columns: Range<usize>, turned: &mut [u8]) {
    let count = rows.len() / stride;
    for (square, out) in turned.chunks_exact_mut(SQUARE * B::LANES).enumerate() {
        let first = columns.start + square * SQUARE;
        let width = SQUARE.min(columns.end - first);
        let mut lines = [B::zero(); SQUARE];
        if count == B::LANES && width == SQUARE {
            for (i, line) in lines.iter_mut().enumerate() {
                *line = B::gather(&rows[i * stride + first..], SQUARE * stride);
            }
        } else {
            for (i, line) in lines.iter_mut().enumerate() {
                let mut bytes = [0; MAX_LANES];
                let parts = bytes.chunks_exact_mut(SQUARE);
                for (part, row) in parts.zip((i..count).step_by(SQUARE)) {
                    part[..width].copy_from_slice(&rows[row * stride + first..][..width]);
                }
                *line = B::load(&bytes);
            }
        }
        for (out, line) in out.chunks_exact_mut(B::LANES).zip(transpose(lines)) {
            line.store(out);
        }
    }
}

/// The reverse: a vector for each column to up to [`Bytes::LANES`] rows of `stride` bytes.
#[inline(always)]
fn turn_back<B: Bytes>(turned: &[u8], rows: &mut [u8], stride: usize) {
    let count = rows.len() / stride;
    for (square, columns) in turned.chunks_exact(SQUARE * B::LANES).enumerate() {
        let first = square * SQUARE;
        let width = SQUARE.min(stride - first);
        let mut lines = [B::zero(); SQUARE];
        for (line, column) in lines.iter_mut().zip(columns.chunks_exact(B::LANES)) {
            *line = B::load(column);
        }
        for (i, line) in transpose(lines).into_iter().enumerate() {
            let mut bytes = [0; MAX_LANES];
            line.store(&mut bytes);
            let parts = bytes.chunks_exact(SQUARE);
            for (part, row) in parts.zip((i..count).step_by(SQUARE)) {
                let to = &mut rows[row * stride + first..];
                // copied in a register, if the compiler knows how many there are
                if width == SQUARE {
                    to[..SQUARE].copy_from_slice(part);
                } else {
                    to[..width].copy_from_slice(&part[..width]);
                }
            }
        }
    }
}

/// Exchanges rows and columns of squares of bytes: four perfect shuffles of the lines do it.
#[inline(always)]
fn transpose<B: Bytes>(mut lines: [B; SQUARE]) -> [B; SQUARE] {
    for _ in 0..4 {
        let mut shuffled = [B::zero(); SQUARE];
        for i in 0..SQUARE / 2 {
            shuffled[2 * i] = lines[i].zip_low(lines[i + SQUARE / 2]);
            shuffled[2 * i + 1] = lines[i].zip_high(lines[i + SQUARE / 2]);
        }
        lines = shuffled;
    }
    lines
}
