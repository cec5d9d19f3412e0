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

/// How a picture becomes a CLIP's input: its short side is resized to `short_edge`,
/// its shape kept, then the middle `side` x `side` pixels are cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropPlan {
    /// Pixels of the short side after resizing; `side` or more.
    pub short_edge: u32,
    /// Side of the square that the model sees, in pixels; at least 1.
    pub side: u32,
    /// Where the middle is.
    pub margin: Margin,
}

/// What half a pixel of margin becomes: the one point in which the two preprocessings
/// that CLIPs come with differ, by one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Margin {
    /// Cut off: `CLIPImageProcessor` of transformers.
    Down,
    /// Rounded to the nearest even number: torchvision's `CenterCrop`, which `OpenAI`'s
    /// own code and `open_clip` use.
    HalfToEven,
}

impl CropPlan {
    /// That of `CLIPImageProcessor` for a model of `side` pixels, nothing being cut from
    /// the short side.
    pub fn clip(side: u32) -> Self {
        Self {
            short_edge: side,
            side,
            margin: Margin::Down,
        }
    }
}

/// CLIP's input.
///
/// # Panics
/// When the plan's side is 0 or longer than its short edge.
pub fn clip(pixels: &Pixels, plan: &CropPlan) -> Pixels {
    let geometry = ClipGeometry::new(pixels.width, pixels.height, plan);
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
    /// For a picture of `width` x `height`, both at least 1. The long side is cut to
    /// whole pixels: `int(short_edge * long / short)`.
    pub fn new(width: u32, height: u32, plan: &CropPlan) -> Self {
        let edge = plan.short_edge;
        let scale = |long: u32, short: u32| {
            let resized = u64::from(edge) * u64::from(long) / u64::from(short.max(1));
            u32::try_from(resized).unwrap_or(u32::MAX)
        };
        let resized = if width <= height {
            (edge, scale(height, width))
        } else {
            (scale(width, height), edge)
        };
        let kept = |length: u32| {
            let start = plan.margin.before(length - plan.side);
            start..start + plan.side
        };
        Self {
            resized,
            window: Window {
                columns: kept(resized.0),
                rows: kept(resized.1),
            },
        }
    }
}

impl Margin {
    /// The pixels on the near side when `both` are cut away in all.
    fn before(self, both: u32) -> u32 {
        let half = both / 2;
        match self {
            Self::Down => half,
            Self::HalfToEven => half + (both % 2) * (half % 2),
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
        let geometry = ClipGeometry::new(500, 375, &CropPlan::clip(224));
        assert_eq!(geometry.resized, (298, 224));
        assert_eq!(geometry.window.columns, 37..261);
        assert_eq!(geometry.window.rows, 0..224);
        assert_eq!(
            ClipGeometry::new(3, 1000, &CropPlan::clip(224)).resized,
            (224, 74_666)
        );
        assert_eq!(
            ClipGeometry::new(10, 10, &CropPlan::clip(224)).resized,
            (224, 224)
        );
    }

    #[test]
    fn half_a_pixel_of_margin_is_rounded_as_the_model_was_trained() {
        // int(round(m / 2)) of Python for margins of 0 to 7 pixels.
        let rounded = [0, 0, 1, 2, 2, 2, 3, 4];
        for (both, expected) in (0..8).zip(rounded) {
            assert_eq!(Margin::HalfToEven.before(both), expected, "{both}");
            assert_eq!(Margin::Down.before(both), both / 2);
        }
    }

    #[test]
    fn short_edge_may_be_longer_than_the_square() {
        let plan = CropPlan {
            short_edge: 256,
            ..CropPlan::clip(224)
        };
        let geometry = ClipGeometry::new(500, 400, &plan);
        assert_eq!(geometry.resized, (320, 256));
        assert_eq!(geometry.window.columns, 48..272);
        assert_eq!(geometry.window.rows, 16..240);
    }

    #[test]
    fn cutting_first_gives_the_same_bytes_as_cutting_last() {
        let pixels = gradient(61, 47);
        let plan = CropPlan {
            short_edge: 40,
            ..CropPlan::clip(32)
        };
        let geometry = ClipGeometry::new(61, 47, &plan);
        let (width, height) = geometry.resized;
        let whole = bicubic(&pixels, SourceBox::whole(&pixels), width, height).unwrap();
        let cut = clip(&pixels, &plan);
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
        let made = clip(&thin, &CropPlan::clip(224));
        assert_eq!((made.width, made.height), (224, 224));
        assert_eq!(center_square_256(&thin).rgb.len(), 256 * 256 * 3);
        let one = gradient(1, 1);
        assert!(
            clip(&one, &CropPlan::clip(224))
                .rgb
                .chunks(3)
                .all(|pixel| pixel == [0, 0, 0])
        );
    }
}
