//! TIFF pages, palettes included.
//!
//! `image` reads every TIFF kind this server needs but palettes. Those are read
//! here with the decoder beneath it and handed on in the shape of any other
//! decoder, so that limits, flattening and turning stay in one place. The first
//! page counts; the chain of pages is never followed, so a loop in it is harmless.

use std::io::Cursor;

use ::tiff::ColorType as TiffColor;
use ::tiff::decoder::{Decoder, DecodingResult, Limits};
use ::tiff::tags::Tag;
use image::codecs::tiff::TiffDecoder;
use image::error::{DecodingError, ImageFormatHint, LimitError, LimitErrorKind};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageResult};

use super::DecodeError;
use crate::ImageFormat;

/// Reads the first page's directory.
pub(super) fn open(bytes: &[u8]) -> Result<Box<dyn ImageDecoder + '_>, DecodeError> {
    let refuse = |error| DecodeError::from_library(ImageFormat::Tiff, error);
    if let Some(palette) = PaletteDecoder::open(bytes).map_err(refuse)? {
        return Ok(Box::new(palette));
    }
    let decoder = TiffDecoder::new(Cursor::new(bytes)).map_err(refuse)?;
    Ok(Box::new(decoder))
}

/// A page of palette indices, 1 to 8 bits each, as an RGB8 decoder.
struct PaletteDecoder<'a> {
    inner: Decoder<Cursor<&'a [u8]>>,
    width: u32,
    height: u32,
    bits: u8,
    colors: Vec<[u8; 3]>,
}

impl<'a> PaletteDecoder<'a> {
    /// `None` when the page has no palette.
    fn open(bytes: &'a [u8]) -> ImageResult<Option<Self>> {
        let mut inner = Decoder::new(Cursor::new(bytes)).map_err(refuse)?;
        let Ok(TiffColor::Palette(bits @ (1 | 2 | 4 | 8))) = inner.colortype() else {
            return Ok(None);
        };
        let (width, height) = inner.dimensions().map_err(refuse)?;
        let map = inner.get_tag_u16_vec(Tag::ColorMap).map_err(refuse)?;
        Ok(Some(Self {
            inner,
            width,
            height,
            bits,
            colors: colors_of(&map),
        }))
    }
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

impl ImageDecoder for PaletteDecoder<'_> {
    fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn color_type(&self) -> ColorType {
        ColorType::Rgb8
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let value = self.inner.find_tag(Tag::Orientation).map_err(refuse)?;
        Ok(value
            .and_then(|value| value.into_u16().ok())
            .and_then(|value| u8::try_from(value).ok())
            .and_then(Orientation::from_exif)
            .unwrap_or(Orientation::NoTransforms))
    }

    fn set_limits(&mut self, limits: image::Limits) -> ImageResult<()> {
        let bytes = limits
            .max_alloc
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(usize::MAX);
        let mut own = Limits::default();
        own.decoding_buffer_size = bytes;
        own.intermediate_buffer_size = bytes;
        let inner = Decoder::new(Cursor::new(*self.inner.inner().get_ref())).map_err(refuse)?;
        self.inner = inner.with_limits(own);
        Ok(())
    }

    fn read_image(mut self, buffer: &mut [u8]) -> ImageResult<()> {
        let DecodingResult::U8(rows) = self.inner.read_image().map_err(refuse)? else {
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

fn refuse(error: ::tiff::TiffError) -> ImageError {
    if matches!(error, ::tiff::TiffError::LimitsExceeded) {
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
        assert_eq!(
            colors_of(&[0x0100, 0xff00, 0x0200, 0, 0x0300, 0x8000]),
            [[1, 2, 3], [255, 0, 128]]
        );
    }
}
