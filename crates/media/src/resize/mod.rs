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
//! `taps` makes the weights; the passes themselves are a kernel.
//!
//! Invariant: an output pixel depends on its own weights alone, so computing only a
//! window of the result ([`bicubic_window`]) gives the bytes that cutting the whole
//! would, for the cost of the window.

mod taps;

use std::ops::Range;

use lookalike_kernels::dispatch::cpu;
use lookalike_kernels::image::resample::{Lines, sum_columns, sum_rows};
use thiserror::Error;

use crate::Pixels;

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
    let across = taps::bicubic(pixels.width, left..right, width, columns.clone());
    let down = taps::bicubic(pixels.height, top..bottom, height, rows.clone());
    let stride = pixels.width as usize * 3;
    let (row_reach, column_reach) = (down.reach(), across.reach());
    let lines = |bytes, stride, first| Lines {
        bytes,
        stride,
        first,
    };
    let cpu = cpu();
    let rgb = if vertical_first((pixels.width, pixels.height), size) {
        let kept = column_reach.start * 3..column_reach.end * 3;
        let width = kept.len();
        let flattened = sum_rows(cpu, lines(&pixels.rgb, stride, 0), kept, &down);
        let flattened = lines(&flattened, width, column_reach.start);
        sum_columns(cpu, flattened, &across)
    } else {
        let source_rows = &pixels.rgb[row_reach.start * stride..row_reach.end * stride];
        let narrowed = sum_columns(cpu, lines(source_rows, stride, 0), &across);
        let width = across.len() * 3;
        let narrowed = lines(&narrowed, width, row_reach.start);
        sum_rows(cpu, narrowed, 0..width, &down)
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

/// Whether Pillow resizes rows before columns. Since version 13 it does so when the
/// height loses more than twice as many pixels as the width; found by comparing its
/// results with single passes in either order. Earlier versions never did, which
/// differs by at most a level, in pictures more than about twice as tall as wide.
fn vertical_first(from: (u32, u32), to: (u32, u32)) -> bool {
    let lost = |from: u32, to: u32| i64::from(from) - i64::from(to);
    from.1 > to.1 && lost(from.1, to.1) > 2 * lost(from.0, to.0)
}
