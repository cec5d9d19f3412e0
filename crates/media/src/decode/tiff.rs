//! TIFF pages, palettes included.
//!
//! `image` reads every TIFF kind this server needs but palettes, and so does the
//! library beneath it. Palette indices are stored exactly as grey levels are, so a
//! palette page is read as a grey one whose levels are then looked up: the tag
//! that tells the two apart is changed in a copy of the file. The result has the
//! shape of any other decoder, so that limits, flattening and turning stay in one
//! place. The first page counts; later ones are not looked at.

use std::io::Cursor;

use ::tiff::TiffError;
use ::tiff::decoder::{Decoder, DecodingResult, Limits};
use ::tiff::tags::Tag;
use image::codecs::tiff::TiffDecoder;
use image::error::{DecodingError, ImageFormatHint, LimitError, LimitErrorKind};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageResult};

use super::DecodeError;
use crate::{ImageFormat, ImageLimits};

/// `PhotometricInterpretation` (TIFF 6.0, section 8): how samples become colours.
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// Reads the first page's directory.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    limits: &ImageLimits,
) -> Result<Box<dyn ImageDecoder + 'a>, DecodeError> {
    let refuse = |error: ImageError| DecodeError::from_library(ImageFormat::Tiff, &error, limits);
    if let Some(palette) = PaletteDecoder::open(bytes).map_err(refuse)? {
        return Ok(Box::new(palette));
    }
    let decoder = TiffDecoder::new(Cursor::new(bytes)).map_err(refuse)?;
    Ok(Box::new(decoder))
}

/// A page of palette indices, 1 to 8 bits each, as an RGB8 decoder.
struct PaletteDecoder {
    /// The file, with the page marked as grey.
    grey: Vec<u8>,
    limits: Limits,
    width: u32,
    height: u32,
    bits: u8,
    colors: Vec<[u8; 3]>,
    orientation: Orientation,
}

impl PaletteDecoder {
    /// `None` when the page has no palette, or none that is understood.
    fn open(bytes: &[u8]) -> ImageResult<Option<Self>> {
        let mut page = Decoder::new(Cursor::new(bytes)).map_err(refuse)?;
        let mut short = |tag| page.find_tag_unsigned::<u16>(tag).ok().flatten();
        if short(Tag::PhotometricInterpretation) != Some(PALETTE) {
            return Ok(None);
        }
        let bits = match short(Tag::BitsPerSample) {
            // One bit is what the tag's absence means.
            None | Some(1) => 1,
            Some(2) => 2,
            Some(4) => 4,
            Some(8) => 8,
            Some(_) => return Ok(None),
        };
        let orientation = short(Tag::Orientation)
            .and_then(|value| u8::try_from(value).ok())
            .and_then(Orientation::from_exif)
            .unwrap_or(Orientation::NoTransforms);
        let (width, height) = page.dimensions().map_err(refuse)?;
        let map = page.get_tag_u16_vec(Tag::ColorMap).map_err(refuse)?;
        let Some(grey) = marked_as_grey(bytes) else {
            return Ok(None);
        };
        Ok(Some(Self {
            grey,
            limits: Limits::default(),
            width,
            height,
            bits,
            colors: colors_of(&map),
            orientation,
        }))
    }
}

/// A copy of the file whose first page says grey where it said palette. `None` for
/// `BigTIFF`, whose directories are laid out differently.
fn marked_as_grey(bytes: &[u8]) -> Option<Vec<u8>> {
    let is_big_endian = match bytes.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short_at = |at: usize| {
        let pair = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_big_endian {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        })
    };
    let offset = <[u8; 4]>::try_from(bytes.get(4..8)?).ok()?;
    let directory = usize::try_from(if is_big_endian {
        u32::from_be_bytes(offset)
    } else {
        u32::from_le_bytes(offset)
    })
    .ok()?;
    // A count, then entries of 12 bytes: tag, type, count, value.
    let entries = usize::from(short_at(directory)?);
    let wanted = Tag::PhotometricInterpretation.to_u16();
    let entry = (0..entries)
        .map(|index| directory + 2 + index * 12)
        .find(|at| short_at(*at) == Some(wanted))?;
    let value = entry + 8;
    if short_at(value)? != PALETTE {
        return None;
    }
    let mut grey = bytes.to_vec();
    grey[value..value + 2].copy_from_slice(&if is_big_endian {
        BLACK_IS_ZERO.to_be_bytes()
    } else {
        BLACK_IS_ZERO.to_le_bytes()
    });
    Some(grey)
}

/// All reds, then all greens, then all blues, 16 bits each (TIFF 6.0, "`ColorMap`").
fn colors_of(map: &[u16]) -> Vec<[u8; 3]> {
    let count = map.len() / 3;
    let level = |value: u16| value.to_be_bytes()[0];
    (0..count)
        .map(|index| {
            [
                level(map[index]),
                level(map[count + index]),
                level(map[2 * count + index]),
            ]
        })
        .collect()
}

impl ImageDecoder for PaletteDecoder {
    fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn color_type(&self) -> ColorType {
        ColorType::Rgb8
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        Ok(self.orientation)
    }

    fn set_limits(&mut self, limits: image::Limits) -> ImageResult<()> {
        let bytes = limits
            .max_alloc
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(usize::MAX);
        self.limits.decoding_buffer_size = bytes;
        self.limits.intermediate_buffer_size = bytes;
        Ok(())
    }

    fn read_image(self, buffer: &mut [u8]) -> ImageResult<()> {
        let page = Decoder::new(Cursor::new(&self.grey)).map_err(refuse)?;
        let rows = page.with_limits(self.limits).read_image().map_err(refuse)?;
        let DecodingResult::U8(rows) = rows else {
            return Err(corrupt("its palette indices are not bytes"));
        };
        let row_bytes = (self.width as usize * usize::from(self.bits)).div_ceil(8);
        let row_rgb = self.width as usize * 3;
        if rows.len() < row_bytes * self.height as usize {
            return Err(corrupt("it holds fewer rows than its header says"));
        }
        for (indices, rgb) in rows
            .chunks_exact(row_bytes)
            .zip(buffer.chunks_exact_mut(row_rgb))
        {
            for (column, pixel) in rgb.chunks_exact_mut(3).enumerate() {
                let color = self
                    .colors
                    .get(index_at(indices, column, self.bits))
                    .ok_or_else(|| corrupt("a pixel's colour is not in the palette"))?;
                pixel.copy_from_slice(color);
            }
        }
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, buffer: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(buffer)
    }
}

/// Indices are packed from each byte's upper bits on; a row starts at a byte.
fn index_at(row: &[u8], column: usize, bits: u8) -> usize {
    let per_byte = usize::from(8 / bits);
    let shift = 8 - usize::from(bits) * (column % per_byte + 1);
    let mask = (1usize << bits) - 1;
    (usize::from(row[column / per_byte]) >> shift) & mask
}

fn refuse(error: TiffError) -> ImageError {
    if matches!(error, TiffError::LimitsExceeded) {
        return ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory));
    }
    ImageError::Decoding(DecodingError::new(hint(), error))
}

fn corrupt(reason: &'static str) -> ImageError {
    ImageError::Decoding(DecodingError::new(hint(), reason))
}

fn hint() -> ImageFormatHint {
    ImageFormatHint::Exact(image::ImageFormat::Tiff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_indices_come_from_the_upper_bits() {
        assert_eq!(index_at(&[0b1000_0001], 0, 1), 1);
        assert_eq!(index_at(&[0b1000_0001], 7, 1), 1);
        assert_eq!(index_at(&[0x12, 0x34], 2, 4), 3);
        assert_eq!(index_at(&[7, 9], 1, 8), 9);
    }

    #[test]
    fn colours_are_planar_and_sixteen_bit() {
        let map = [0x0100, 0xff00, 0x0200, 0, 0x0300, 0x8000];
        assert_eq!(colors_of(&map), [[1, 2, 3], [255, 0, 128]]);
    }
}
