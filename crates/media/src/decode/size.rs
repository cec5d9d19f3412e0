//! How many of a picture's pixels are wanted, and by what its sides may be divided for that.
//!
//! Both decoders that can decode a part of the pixels ([`super::scaled`], and `super::turbo` where it is built in) go by
//! the one rule here.

/// How many of a picture's pixels are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// All of them.
    Full,
    /// So many that the picture can be resized to this short edge: a large one may come with a half, a quarter or
    /// an eighth of its sides, never with less than six times the edge. Only JPEGs do: fewer of their pixels are computed
    /// in the first place. Levels differ by 2 at most after the resize.
    AtLeast {
        /// Pixels of the short side behind the resize.
        short_edge: u32,
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
        let Self::AtLeast { short_edge } = self else {
            return 1;
        };
        let short = width.min(height);
        let fits = |by: &u32| {
            width.is_multiple_of(*by)
                && height.is_multiple_of(*by)
                && short / by / MIN_RATIO >= short_edge
        };
        DIVISORS.into_iter().find(fits).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_keep_six_times_the_edge() {
        let divisor = |sides, short_edge| Size::AtLeast { short_edge }.divisor(sides);
        assert_eq!(divisor((4000, 3000), 224), 2);
        assert_eq!(divisor((8000, 6000), 224), 4);
        assert_eq!(divisor((16_000, 12_000), 224), 8);
        assert_eq!(divisor((4000, 2688), 224), 2);
        assert_eq!(divisor((4000, 2686), 224), 1);
        assert_eq!(divisor((8002, 6002), 224), 2);
        assert_eq!(divisor((8001, 6000), 224), 1);
        assert_eq!(Size::Full.divisor((8000, 6000)), 1);
    }
}
