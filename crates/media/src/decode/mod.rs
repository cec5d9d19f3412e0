//! Bytes of one picture to upright RGB pixels.
//!
//! Called by the engine for query images, uploaded images and archive members.
//! The format is what the content says, never the name. What becomes of the odd
//! kinds (semantics.md, row 32):
//!
//! - EXIF orientation is applied; broken EXIF is ignored (`orient`).
//! - Transparency is flattened on white; 16 bits keep their upper 8; grey and
//!   palette become RGB (`flatten`). CMYK and YCCK become RGB by the simple
//!   formula, Adobe's inverted storage assumed as every common reader does. Colour
//!   profiles are not applied: neither do the pipelines the encoders were trained with.
//! - Of several pages, frames or pictures the first counts.
//! - A JPEG that ends before its end marker is refused (`jpeg`): half a picture
//!   would be indexed as if it were the whole one. Damage inside the coded data is
//!   another matter: the decoder goes on as well as it can, in the worst case with
//!   grey for the rest, and does not tell.
//!
//! Invariants: the header is checked against [`ImageLimits`] before pixel memory
//! is spent; one buffer holds the decoder's output and the RGB made from it; a
//! panic inside a decoder library is an error of this one picture.

mod error;
mod flatten;
mod jpeg;
mod orient;
mod scaled;
mod size;
mod tiff;
#[cfg(feature = "turbojpeg")]
mod turbo;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder,
};
use image::{ColorType, ImageDecoder, ImageResult};

pub use error::DecodeError;
pub use size::Size;

use crate::format::describe;
use crate::{ImageFormat, ImageLimits, Pixels};

/// A decoded picture and what its file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Upright RGB, sides after turning.
    pub pixels: Pixels,
    /// The format by content.
    pub format: ImageFormat,
    /// Columns of the upright picture in the file; of `pixels` too, unless only its [`Size::Centre`] was asked for.
    pub width: u32,
    /// Rows, likewise.
    pub height: u32,
}

/// Decodes one picture.
///
/// # Errors
/// A [`DecodeError`] whose text can be shown to the uploader: not a picture, a
/// limit exceeded (named, with its value), cut short, corrupt, or of a kind that
/// the decoders do not know.
pub fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Picture, DecodeError> {
    decode_sized(bytes, limits, Size::Full)
}

/// Decodes one picture, perhaps smaller than it is.
///
/// # Errors
/// As [`decode`].
pub fn decode_sized(
    bytes: &[u8],
    limits: &ImageLimits,
    size: Size,
) -> Result<Picture, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(DecodeError::TooManyBytes {
            bytes: bytes.len() as u64,
            limit: limits.max_bytes,
        });
    }
    let format = ImageFormat::of(bytes).ok_or_else(|| DecodeError::NotAPicture {
        looks_like: describe(bytes),
    })?;
    contain_panic(format, || decode_as(format, bytes, limits, size))
}

/// The one place where a library's panic is turned into an error. Nothing that
/// the closure touches is used afterwards, so no broken state is seen.
fn contain_panic<T>(
    format: ImageFormat,
    work: impl FnOnce() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(DecodeError::DecoderPanicked {
            format,
            reason: reason.to_owned(),
        })
    })
}

fn decode_as(
    format: ImageFormat,
    bytes: &[u8],
    limits: &ImageLimits,
    size: Size,
) -> Result<Picture, DecodeError> {
    let refuse = |error| DecodeError::from_library(format, &error, limits);
    if let Some((width, height)) = format.claimed_sides(bytes) {
        check_sides(format, width, height, limits)?;
    }
    let mut decoder = open(format, bytes, limits)?;
    let header = Header::check(format, decoder.as_ref(), limits)?;
    decoder
        .set_limits(header.library_limits(limits))
        .map_err(refuse)?;
    let orientation = orient::read(format, bytes, decoder.as_mut());
    let picture = |stored: Pixels| {
        let (width, height) = if orient::swaps_sides(orientation) {
            (header.height, header.width)
        } else {
            (header.width, header.height)
        };
        Picture {
            pixels: orient::apply(stored, orientation),
            format,
            width,
            height,
        }
    };
    if format == ImageFormat::Jpeg
        && let Some(pixels) = decode_jpeg(bytes, &header, size)
    {
        return Ok(picture(pixels));
    }

    // One buffer for the decoder's samples and for the RGB made of them.
    let mut buffer = vec![0; header.source_len.max(header.rgb_len)];
    decoder
        .read_image(&mut buffer[..header.source_len])
        .map_err(refuse)?;
    flatten::to_rgb8(&mut buffer, header.color, header.pixel_count).map_err(|reason| {
        DecodeError::Unsupported {
            format,
            reason: reason.to_owned(),
        }
    })?;
    buffer.truncate(header.rgb_len);
    buffer.shrink_to_fit();
    Ok(picture(Pixels {
        width: header.width,
        height: header.height,
        rgb: buffer,
    }))
}

/// The pixels of a JPEG: fewer than all of them where that is enough, else as libjpeg-turbo decodes them, if it is there
/// and finds nothing wrong.
fn decode_jpeg(bytes: &[u8], header: &Header, size: Size) -> Option<Pixels> {
    let sides = (header.width, header.height);
    let pixels = scaled::decode(bytes, sides, size);
    #[cfg(feature = "turbojpeg")]
    let pixels = pixels.or_else(|| turbo::decode(bytes, sides, size));
    pixels
}

/// Reads the header, nothing more.
fn open<'a>(
    format: ImageFormat,
    bytes: &'a [u8],
    limits: &ImageLimits,
) -> Result<Box<dyn ImageDecoder + 'a>, DecodeError> {
    let input = Cursor::new(bytes);
    let decoder: ImageResult<Box<dyn ImageDecoder + 'a>> = match format {
        ImageFormat::Jpeg => {
            jpeg::check_structure(bytes, limits)?;
            JpegDecoder::new(input).map(|decoder| Box::new(decoder) as _)
        }
        // Only this constructor bounds what is unpacked from a PNG's chunks.
        ImageFormat::Png => PngDecoder::with_limits(input, side_limits(limits, 0))
            .map(|decoder| Box::new(decoder) as _),
        ImageFormat::Bmp => BmpDecoder::new(input).map(|decoder| Box::new(decoder) as _),
        ImageFormat::Gif => GifDecoder::new(input).map(|decoder| Box::new(decoder) as _),
        ImageFormat::WebP => WebPDecoder::new(input).map(|decoder| Box::new(decoder) as _),
        ImageFormat::Tiff => return tiff::open(bytes, limits),
    };
    decoder.map_err(|error| DecodeError::from_library(format, &error, limits))
}

/// What the header says, found to be within the limits.
struct Header {
    width: u32,
    height: u32,
    color: ColorType,
    pixel_count: usize,
    source_len: usize,
    rgb_len: usize,
}

impl Header {
    fn check(
        format: ImageFormat,
        decoder: &dyn ImageDecoder,
        limits: &ImageLimits,
    ) -> Result<Self, DecodeError> {
        let (width, height) = decoder.dimensions();
        check_sides(format, width, height, limits)?;
        let source_bytes = decoder.total_bytes();
        let too_large = DecodeError::TooMuchMemory {
            bytes: source_bytes,
            limit: limits.max_decoded_bytes,
        };
        if source_bytes > limits.max_decoded_bytes {
            return Err(too_large);
        }
        let pixels = u64::from(width) * u64::from(height);
        match (
            usize::try_from(pixels),
            usize::try_from(source_bytes),
            usize::try_from(pixels.saturating_mul(3)),
        ) {
            (Ok(pixel_count), Ok(source_len), Ok(rgb_len)) => Ok(Self {
                width,
                height,
                color: decoder.color_type(),
                pixel_count,
                source_len,
                rgb_len,
            }),
            // Only where addresses are shorter than 64 bits.
            _ => Err(too_large),
        }
    }

    /// A decoder may hold its own copy of the picture, hardly two.
    fn library_limits(&self, limits: &ImageLimits) -> image::Limits {
        side_limits(limits, self.source_len as u64 * 2)
    }
}

/// Refuses a picture by the sides its header claims.
fn check_sides(
    format: ImageFormat,
    width: u32,
    height: u32,
    limits: &ImageLimits,
) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::Corrupt {
            format,
            reason: format!("its header says {width}x{height} pixels"),
        });
    }
    if width.max(height) > limits.max_side {
        return Err(DecodeError::SideTooLong {
            width,
            height,
            limit: limits.max_side,
        });
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(DecodeError::TooManyPixels {
            width,
            height,
            limit: limits.max_pixels,
        });
    }
    Ok(())
}

fn side_limits(limits: &ImageLimits, picture_bytes: u64) -> image::Limits {
    // The sides themselves are judged by `check_sides`, whose errors name the limit.
    let mut library = image::Limits::no_limits();
    library.max_alloc = Some(picture_bytes.saturating_add(limits.max_decoder_bytes));
    library.max_image_width = Some(limits.max_side.max(1));
    library.max_image_height = library.max_image_width;
    library
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_decoder_is_an_error_of_that_picture() {
        let outcome: Result<(), _> = contain_panic(ImageFormat::Gif, || panic!("frame {}", 7));
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "the GIF decoder failed on this file: frame 7"
        );
        assert_eq!(contain_panic(ImageFormat::Gif, || Ok(1)), Ok(1));
    }
}
