//! The part of a picture that an encoder looks at, in the size it expects.
//!
//! `embed` calls this when it prepares an image; subtracting means and changing
//! the layout is its own affair. Every function gives the bytes that the model's
//! own Python pipeline gives for the same pixels, but only computes what is kept.

use crate::Pixels;
use crate::resize::{ResizeError, SourceBox, Window, bicubic, bicubic_window};

/// Side of the built-in encoder's input, in pixels.
pub const BUILTIN_SIDE: u32 = 256;

/// The centre square of the short side, resized to 256 x 256: the built-in
/// encoder's input. The square may begin at half a pixel.
#[expect(clippy::cast_precision_loss, reason = "sides are far below 2^23")]
pub fn center_square_256(pixels: &Pixels) -> Pixels {
    let side = pixels.width.min(pixels.height);
    let left = (pixels.width - side) as f32 / 2.0;
    let top = (pixels.height - side) as f32 / 2.0;
    let square = SourceBox {
        left,
        top,
        right: left + side as f32,
        bottom: top + side as f32,
    };
    expect_valid(bicubic(pixels, square, BUILTIN_SIDE, BUILTIN_SIDE))
}

/// CLIP's input: the short side resized to `side`, then the centre cut to
/// `side` x `side`, as `CLIPImageProcessor` of transformers does it.
///
/// # Panics
/// When `side` is 0.
pub fn clip(pixels: &Pixels, side: u32) -> Pixels {
    let geometry = ClipGeometry::new(pixels.width, pixels.height, side);
    expect_valid(bicubic_window(
        pixels,
        SourceBox::whole(pixels),
        geometry.resized,
        &geometry.window,
    ))
}

/// The sizes that CLIP's preprocessing goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipGeometry {
    /// Columns and rows of the whole picture after resizing.
    pub resized: (u32, u32),
    /// The centre square that is kept.
    pub window: Window,
}

impl ClipGeometry {
    /// For a picture of `width` x `height` (both at least 1) and a model of `side`.
    ///
    /// The long side is cut to whole pixels, and so is the margin: `int(side * long
    /// / short)` and `(resized - side) // 2`. (The original CLIP's torchvision
    /// rounds that margin to the nearest even number; where the two differ, it is
    /// by one pixel.)
    pub fn new(width: u32, height: u32, side: u32) -> Self {
        let scale = |long: u32, short: u32| {
            let resized = u64::from(side) * u64::from(long) / u64::from(short.max(1));
            u32::try_from(resized).unwrap_or(u32::MAX)
        };
        let resized = if width <= height {
            (side, scale(height, width))
        } else {
            (scale(width, height), side)
        };
        let left = (resized.0 - side) / 2;
        let top = (resized.1 - side) / 2;
        Self {
            resized,
            window: Window {
                columns: left..left + side,
                rows: top..top + side,
            },
        }
    }
}

fn expect_valid(resized: Result<Pixels, ResizeError>) -> Pixels {
    resized.expect("boxes and windows made here lie inside their pictures")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Pixels {
        let rgb = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [x * 7 + y, x + y * 5, x * y]))
            .map(|level| level.to_le_bytes()[0])
            .collect();
        Pixels::new(width, height, rgb).unwrap()
    }

    #[test]
    fn clip_sizes_are_cut_not_rounded() {
        let geometry = ClipGeometry::new(500, 375, 224);
        assert_eq!(geometry.resized, (298, 224));
        assert_eq!(geometry.window.columns, 37..261);
        assert_eq!(geometry.window.rows, 0..224);
        assert_eq!(ClipGeometry::new(3, 1000, 224).resized, (224, 74_666));
        assert_eq!(ClipGeometry::new(10, 10, 224).resized, (224, 224));
    }

    #[test]
    fn cutting_first_gives_the_same_bytes_as_cutting_last() {
        let pixels = gradient(61, 47);
        let geometry = ClipGeometry::new(61, 47, 32);
        let (width, height) = geometry.resized;
        let whole = bicubic(&pixels, SourceBox::whole(&pixels), width, height).unwrap();
        let cut = clip(&pixels, 32);
        for y in 0..32 {
            for x in 0..32 {
                let from_whole = whole.get(
                    x + geometry.window.columns.start,
                    y + geometry.window.rows.start,
                );
                assert_eq!(cut.get(x, y), from_whole);
            }
        }
    }

    #[test]
    fn extreme_shapes_are_resized_without_the_whole_being_made() {
        let thin = gradient(8000, 1);
        assert_eq!(
            (clip(&thin, 224).width, clip(&thin, 224).height),
            (224, 224)
        );
        assert_eq!(center_square_256(&thin).rgb.len(), 256 * 256 * 3);
        let one = gradient(1, 1);
        assert!(
            clip(&one, 224)
                .rgb
                .chunks(3)
                .all(|pixel| pixel == [0, 0, 0])
        );
    }
}
