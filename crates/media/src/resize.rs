//! Resizing exactly as Pillow's `Image.resize(…, BICUBIC, box=…)` does for 8-bit RGB.
//!
//! [`crate::preprocess`] calls it; encoders were trained on pictures resized this
//! way, and a difference of a few levels moves an embedding visibly. The method
//! (after Pillow's documentation of its filters and the goldens recorded from it):
//!
//! - separable, each pass rounded to bytes; the horizontal pass goes first unless
//!   much more height than width is cut away (`vertical_first`);
//! - Keys' cubic with a = -0.5, stretched by the scale when shrinking (antialiasing);
//! - weights are normalised in double precision, then rounded to 22 fractional bits,
//!   and the sum of a pass is rounded half up and clamped.
//!
//! Invariant: an output pixel depends on its own weights alone, so computing only a
//! window of the result ([`bicubic_window`]) gives the bytes that cutting the whole
//! would, for the cost of the window.

use std::ops::Range;

use thiserror::Error;

use crate::Pixels;

/// Fractional bits of a weight: 32 less 8 for the sample and 2 for overshoot.
const WEIGHT_BITS: u32 = 22;
/// Pixels to each side that the cubic reaches at scale 1.
const REACH: f64 = 2.0;

/// A part of the source picture, in pixels from the top left corner; fractions are
/// allowed. Single precision, as Pillow's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceBox {
    /// First column's left edge.
    pub left: f32,
    /// First row's upper edge.
    pub top: f32,
    /// Last column's right edge.
    pub right: f32,
    /// Last row's lower edge.
    pub bottom: f32,
}

impl SourceBox {
    /// The whole picture.
    #[expect(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
    pub fn whole(pixels: &Pixels) -> Self {
        Self {
            left: 0.0,
            top: 0.0,
            right: pixels.width as f32,
            bottom: pixels.height as f32,
        }
    }
}

/// A part of the resized picture: `columns` of 0..width, `rows` of 0..height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Columns of the resized picture.
    pub columns: Range<u32>,
    /// Rows of the resized picture.
    pub rows: Range<u32>,
}

/// A box, size or window that does not fit.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum ResizeError {
    /// Pillow refuses it as well.
    #[error("the box {source_box:?} is empty or not inside {width}x{height} pixels")]
    Box {
        /// As given.
        source_box: SourceBox,
        /// The picture's columns.
        width: u32,
        /// The picture's rows.
        height: u32,
    },
    /// Empty, or beyond the resized picture.
    #[error("the window {window:?} is empty or not inside {width}x{height} pixels")]
    Window {
        /// As given.
        window: Window,
        /// Columns after resizing.
        width: u32,
        /// Rows after resizing.
        height: u32,
    },
}

/// Resizes a part of `pixels` to `width` x `height`.
///
/// # Errors
/// When the box is not inside the picture or a side is 0.
pub fn bicubic(
    pixels: &Pixels,
    source_box: SourceBox,
    width: u32,
    height: u32,
) -> Result<Pixels, ResizeError> {
    let window = Window {
        columns: 0..width,
        rows: 0..height,
    };
    bicubic_window(pixels, source_box, (width, height), &window)
}

/// Resizes a part of `pixels` to `size` (columns, rows) but computes only `window`
/// of the result, and returns that.
///
/// # Errors
/// When the box is not inside the picture, or the window not inside the result.
pub fn bicubic_window(
    pixels: &Pixels,
    source_box: SourceBox,
    size: (u32, u32),
    window: &Window,
) -> Result<Pixels, ResizeError> {
    let (width, height) = size;
    check_box(pixels, source_box)?;
    let Window { columns, rows } = window;
    if columns.is_empty() || rows.is_empty() || columns.end > width || rows.end > height {
        return Err(ResizeError::Window {
            window: window.clone(),
            width,
            height,
        });
    }
    let SourceBox {
        left,
        top,
        right,
        bottom,
    } = source_box;
    let across = Taps::new(pixels.width, left..right, width, columns.clone());
    let down = Taps::new(pixels.height, top..bottom, height, rows.clone());
    let stride = pixels.width as usize * 3;
    let (row_reach, column_reach) = (down.reach(), across.reach());

    let rgb = if vertical_first((pixels.width, pixels.height), size) {
        let bytes = column_reach.start * 3..column_reach.end * 3;
        let flattened = vertical_pass(&pixels.rgb, stride, bytes.clone(), &down, 0);
        horizontal_pass(&flattened, bytes.len(), &across, column_reach.start)
    } else {
        let source_rows = &pixels.rgb[row_reach.start * stride..row_reach.end * stride];
        let narrowed = horizontal_pass(source_rows, stride, &across, 0);
        let row_bytes = across.len() * 3;
        vertical_pass(&narrowed, row_bytes, 0..row_bytes, &down, row_reach.start)
    };
    Ok(Pixels {
        width: columns.end - columns.start,
        height: rows.end - rows.start,
        rgb,
    })
}

fn check_box(pixels: &Pixels, source_box: SourceBox) -> Result<(), ResizeError> {
    let whole = SourceBox::whole(pixels);
    let fits = source_box.left >= 0.0
        && source_box.top >= 0.0
        && source_box.right <= whole.right
        && source_box.bottom <= whole.bottom
        && source_box.left < source_box.right
        && source_box.top < source_box.bottom;
    if fits {
        return Ok(());
    }
    Err(ResizeError::Box {
        source_box,
        width: pixels.width,
        height: pixels.height,
    })
}

/// For each output position of a pass: where its source samples begin and their weights.
struct Taps {
    starts: Vec<usize>,
    counts: Vec<usize>,
    /// `stride` weights an output position, the ones beyond its count unused.
    weights: Vec<i32>,
    stride: usize,
}

impl Taps {
    /// Weights for the outputs `wanted` of `out_size`, over `part` of `in_size` samples.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positions lie within the source, which has less than 2^32 samples a side"
    )]
    fn new(in_size: u32, part: Range<f32>, out_size: u32, wanted: Range<u32>) -> Self {
        let scale = f64::from(part.end - part.start) / f64::from(out_size);
        let stretch = scale.max(1.0);
        let reach = REACH * stretch;
        let stride = reach.ceil() as usize * 2 + 1;
        let mut taps = Self {
            starts: Vec::with_capacity(wanted.len()),
            counts: Vec::with_capacity(wanted.len()),
            weights: Vec::with_capacity(wanted.len() * stride),
            stride,
        };
        let mut exact = Vec::with_capacity(stride);
        for position in wanted {
            let center = f64::from(part.start) + (f64::from(position) + 0.5) * scale;
            // Casts cut towards zero and stop at it, which is the rounding wanted.
            let start = (center - reach + 0.5) as u32;
            let end = ((center + reach + 0.5) as u32).min(in_size);
            exact.clear();
            exact.extend(
                (start..end).map(|at| cubic((f64::from(at) - center + 0.5) * (1.0 / stretch))),
            );
            taps.push(start, &exact);
        }
        taps
    }

    fn push(&mut self, start: u32, exact: &[f64]) {
        let sum: f64 = exact.iter().sum();
        self.starts.push(start as usize);
        self.counts.push(exact.len());
        let row_end = self.weights.len() + self.stride;
        self.weights
            .extend(exact.iter().map(|weight| to_fixed(weight / sum)));
        self.weights.resize(row_end, 0);
    }

    fn len(&self) -> usize {
        self.starts.len()
    }

    /// The first source sample of output `index`, and its weights.
    fn get(&self, index: usize) -> (usize, &[i32]) {
        let weights = &self.weights[index * self.stride..];
        (self.starts[index], &weights[..self.counts[index]])
    }

    /// All source samples that any output needs. Both ends grow with the position.
    fn reach(&self) -> Range<usize> {
        let last = self.len() - 1;
        self.starts[0]..self.starts[last] + self.counts[last]
    }
}

/// Keys' cubic convolution kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Rounded half away from zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "weights are below 2 in size"
)]
fn to_fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1u32 << WEIGHT_BITS);
    (scaled + 0.5f64.copysign(scaled)) as i32
}

/// A pass's sum, which began at one half, to a byte.
fn to_byte(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255).to_le_bytes()[0]
}

const ONE_HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// Whether Pillow resizes rows before columns. Since version 13 it does so when the
/// height loses more than twice as many pixels as the width; found by comparing its
/// results with single passes in either order. Earlier versions never did, which
/// differs by at most a level, in pictures more than about twice as tall as wide.
fn vertical_first(from: (u32, u32), to: (u32, u32)) -> bool {
    let lost = |from: u32, to: u32| i64::from(from) - i64::from(to);
    from.1 > to.1 && lost(from.1, to.1) > 2 * lost(from.0, to.0)
}

/// Brings every row of `rows`, `stride` bytes each and beginning at source column
/// `first_column`, to the columns of `across`.
fn horizontal_pass(rows: &[u8], stride: usize, across: &Taps, first_column: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() / stride * across.len() * 3);
    for row in rows.chunks_exact(stride) {
        for index in 0..across.len() {
            let (start, weights) = across.get(index);
            let start = start - first_column;
            let samples = &row[start * 3..(start + weights.len()) * 3];
            let mut sums = [ONE_HALF; 3];
            for (pixel, weight) in samples.chunks_exact(3).zip(weights) {
                for (sum, sample) in sums.iter_mut().zip(pixel) {
                    // Cannot overflow: see WEIGHT_BITS. Wrapping spares the check.
                    *sum = sum.wrapping_add(i32::from(*sample).wrapping_mul(*weight));
                }
            }
            out.extend(sums.map(to_byte));
        }
    }
    out
}

/// Brings `rows`, `stride` bytes each and beginning at source row `first_row`, to the
/// rows of `down`, keeping only `bytes` of each.
fn vertical_pass(
    rows: &[u8],
    stride: usize,
    bytes: Range<usize>,
    down: &Taps,
    first_row: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(down.len() * bytes.len());
    let mut sums = vec![0; bytes.len()];
    for index in 0..down.len() {
        let (start, weights) = down.get(index);
        let used = &rows[(start - first_row) * stride..];
        sums.fill(ONE_HALF);
        for (row, weight) in used.chunks_exact(stride).zip(weights) {
            for (sum, sample) in sums.iter_mut().zip(&row[bytes.clone()]) {
                *sum = sum.wrapping_add(i32::from(*sample).wrapping_mul(*weight));
            }
        }
        out.extend(sums.iter().map(|sum| to_byte(*sum)));
    }
    out
}
