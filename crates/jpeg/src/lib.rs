//! Photos out of JPEGs at a half, a quarter or an eighth of their sides.
//!
//! `media` asks here first when a large photo is going to be made much smaller: then most of a JPEG's coefficients need
//! not be decoded, only passed over, which this decoder does several at a time. It knows what cameras and programs write,
//! sequential 8-bit Huffman-coded JPEGs in grey or YCbCr (ITU-T T.81, SOF0 and SOF1, one scan), and refuses everything
//! else, damage above all: the caller has decoders that know more and forgive more.
//!
//! Invariants: no unsafe code; no panic, whatever the bytes are; memory is that of the result and of one row of MCUs.

#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "the block decoder's state stays in registers, and transforms get their constants, only if all is inlined"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "the numbers are cut on purpose, or small: fields of table entries, levels, coefficients of 11 bits"
)]

mod bits;
mod block;
mod colour;
mod error;
mod header;
mod huffman;
mod scan;
mod transform;

use std::ops::Range;

pub use error::Refused;

/// By what a picture's sides are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// A half of either side.
    Two,
    /// A quarter.
    Four,
    /// An eighth.
    Eight,
}

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Columns: those of the file over the divisor, rounded up.
    pub width: u32,
    /// Rows, likewise.
    pub height: u32,
    /// Red, green and blue of each pixel, 0 to 255, row by row from the top, `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

/// A rectangle of a decoded picture's pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Columns of the picture as it is decoded, not of the file's.
    pub columns: Range<u32>,
    /// Rows, likewise.
    pub rows: Range<u32>,
}

/// Columns and rows of the whole picture, as its header says.
///
/// # Errors
/// As [`decode`], as far as the header tells.
pub fn sides(bytes: &[u8]) -> Result<(u32, u32), Refused> {
    let header = header::read(bytes)?;
    Ok((header.width, header.height))
}

/// Decodes a picture. Each pixel is about the mean of the square of pixels that it stands for. Every side of the file's is
/// 65,535 at most; it is for the caller to refuse a picture that is too large, by [`sides`] or otherwise.
///
/// # Errors
/// [`Refused`] for what is not known here and for anything that is not exactly as it should be. A pixel's worth of damage
/// may go unnoticed, as any JPEG decoder lets it.
pub fn decode(bytes: &[u8], divisor: Divisor) -> Result<Rgb, Refused> {
    let all = Part {
        columns: 0..u32::MAX,
        rows: 0..u32::MAX,
    };
    decode_part(bytes, divisor, &all, &|| ())
}

/// Decodes a part of a picture: the others of its pixels may be anything. All of its bits are read and checked.
///
/// `between` is called every 8 or 16 rows of the file: a caller who is to wait for others can do it there.
///
/// # Errors
/// As [`decode`].
pub fn decode_part(
    bytes: &[u8],
    divisor: Divisor,
    part: &Part,
    between: &dyn Fn(),
) -> Result<Rgb, Refused> {
    let header = header::read(bytes)?;
    let divisor = match divisor {
        Divisor::Two => 2,
        Divisor::Four => 4,
        Divisor::Eight => 8,
    };
    scan::read(&header, divisor, part, between)
}
