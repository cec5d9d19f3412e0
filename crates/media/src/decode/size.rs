//! How many of a picture's pixels are wanted, and by what its sides may be divided for that.
//!
//! Both decoders that can decode a part of the pixels ([`super::scaled`], and `super::turbo` where it is built in) go by
//! the one rule here.

use std::ops::Range;

/// How many of a picture's pixels are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// All of them.
    Full,
    /// So many that the centre square can be resized to this edge: a large picture may come with a half, a quarter or an
    /// eighth of its sides, never with less than six times the edge, and black where that resize does not look. Only JPEGs
    /// do: fewer of their pixels are computed in the first place. Levels differ by 2 at most after the resize.
    Centre {
        /// Pixels of a side of the square behind the resize.
        edge: u32,
    },
}

/// By what sides are divided, strongest first.
const DIVISORS: [u32; 3] = [8, 4, 2];
/// A smaller picture keeps so many times the short edge that it is resized to. Measured with libjpeg-turbo on the example
/// photos, sharp ones among them: 6 times leave a difference of 2 levels, 4 times 6, 3 times 13, 2 times 24.
const MIN_RATIO: u32 = 6;

impl Size {
    /// By what the sides of a picture are divided: 1, 2, 4 or 8. Only what divides both without a rest: the shape is then
    /// kept exactly, and with it what is resized to where.
    pub(super) fn divisor(self, (width, height): (u32, u32)) -> u32 {
        let Self::Centre { edge } = self else {
            return 1;
        };
        let short = width.min(height);
        let fits = |by: &u32| {
            width.is_multiple_of(*by)
                && height.is_multiple_of(*by)
                && short / by / MIN_RATIO >= edge
        };
        DIVISORS.into_iter().find(fits).unwrap_or(1)
    }

    /// Columns and rows that are looked at in a picture of these sides, whose shorter one is `edge` or more.
    pub(super) fn kept(self, (width, height): (u32, u32)) -> (Range<u32>, Range<u32>) {
        let Self::Centre { edge } = self else {
            return (0..width, 0..height);
        };
        let short = width.min(height);
        // To either side of a pixel, the filter of the resize reaches as far as two of its pixels are wide. As much again is for
        // the square, which may begin beside the middle by one of them: sides are cut to whole pixels, and so is the margin.
        let reach = 4 * short.div_ceil(edge.max(1));
        let along = |side: u32| {
            let margin = ((side - short) / 2).saturating_sub(reach);
            margin..side - margin
        };
        (along(width), along(height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_keep_six_times_the_edge() {
        let divisor = |sides, edge| Size::Centre { edge }.divisor(sides);
        assert_eq!(divisor((4000, 3000), 224), 2);
        assert_eq!(divisor((8000, 6000), 224), 4);
        assert_eq!(divisor((16_000, 12_000), 224), 8);
        assert_eq!(divisor((4000, 2688), 224), 2);
        assert_eq!(divisor((4000, 2686), 224), 1);
        assert_eq!(divisor((8002, 6002), 224), 2);
        assert_eq!(divisor((8001, 6000), 224), 1);
        assert_eq!(Size::Full.divisor((8000, 6000)), 1);
    }

    #[test]
    fn the_square_and_its_surroundings_are_kept() {
        let size = Size::Centre { edge: 224 };
        assert_eq!(size.kept((2000, 1500)), (222..1778, 0..1500));
        assert_eq!(size.kept((1500, 2000)), (0..1500, 222..1778));
        assert_eq!(size.kept((1510, 1500)), (0..1510, 0..1500));
        assert_eq!(Size::Full.kept((2000, 1500)), (0..2000, 0..1500));
    }
}
