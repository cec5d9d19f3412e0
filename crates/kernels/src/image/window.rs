//! Where a square window lies on an image.

use std::ops::Range;

/// The size of each image of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

impl Grid {
    /// Pixels of an image.
    pub const fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// What a window sees beyond the edges: zeros, so many that …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// … each side has this many (`padding` of `PyTorch`).
    Each(usize),
    /// … each `stride`-th pixel gets a window; an odd one goes to the bottom and
    /// right (`SAME` of `TensorFlow`).
    Same,
}

/// A square window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Pixels of a side.
    pub size: usize,
    /// Pixels from one place to the next.
    pub stride: usize,
    /// What lies beyond the edges.
    pub padding: Padding,
}

impl Window {
    /// The places of the window on each image.
    ///
    /// # Panics
    /// If the window is larger than the padded image, or a size or stride is 0.
    pub fn places(self, grid: Grid) -> Grid {
        Grid {
            height: self.count(grid.height),
            width: self.count(grid.width),
        }
    }

    /// The lines of pixels, on images of `height` lines, that the window sees from the given rows of places.
    ///
    /// # Panics
    /// As [`Window::places`], or if there is no row.
    pub fn lines(self, rows: Range<usize>, height: usize) -> Range<usize> {
        assert!(!rows.is_empty(), "no place sees no line");
        let (first, seen) = self.under(rows.start, height);
        let (last, seen_last) = self.under(rows.end - 1, height);
        let line = |first: isize, row: usize| (first + row as isize) as usize;
        line(first, seen.start)..line(last, seen_last.end)
    }

    fn count(self, length: usize) -> usize {
        assert!(self.size > 0 && self.stride > 0 && length > 0);
        match self.padding {
            Padding::Same => length.div_ceil(self.stride),
            Padding::Each(each) => {
                let padded = length + 2 * each;
                assert!(self.size <= padded, "a window of {} on {padded}", self.size);
                (padded - self.size) / self.stride + 1
            }
        }
    }

    /// The first pixel of each place along a side of `length` pixels may lie so many before the edge.
    fn before(self, length: usize) -> usize {
        match self.padding {
            Padding::Each(each) => each,
            Padding::Same => {
                let needed = (self.count(length) - 1) * self.stride + self.size;
                needed.saturating_sub(length) / 2
            }
        }
    }

    /// Along a side of `length` pixels, the first pixel under the window at `place`, which may
    /// lie before the edge, and those of the window's pixels that exist.
    pub(crate) fn under(self, place: usize, length: usize) -> (isize, Range<usize>) {
        let first = (place * self.stride) as isize - self.before(length) as isize;
        let from = (-first).clamp(0, self.size as isize) as usize;
        let to = (length as isize - first).clamp(from as isize, self.size as isize) as usize;
        (first, from..to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_edges_are_those_of_tensorflow_and_pytorch() {
        let same = |size, stride| Window {
            size,
            stride,
            padding: Padding::Same,
        };
        // even sizes, stride 2: k3 pads 0|1, k5 pads 1|2
        assert_eq!(same(3, 2).count(256), 128);
        assert_eq!(same(3, 2).under(0, 256), (0, 0..3));
        assert_eq!(same(3, 2).under(127, 256), (254, 0..2));
        assert_eq!(same(5, 2).under(0, 256), (-1, 1..5));
        assert_eq!(same(5, 2).under(127, 256), (253, 0..3));
        // stride 1 is symmetric; odd sizes with stride 2 as well
        assert_eq!(same(3, 1).under(0, 9), (-1, 1..3));
        assert_eq!(same(3, 1).under(8, 9), (7, 0..2));
        assert_eq!(same(3, 2).count(9), 5);
        assert_eq!(same(3, 2).under(4, 9), (7, 0..2));
        // a window larger than the image
        assert_eq!(same(5, 1).under(0, 2), (-2, 2..4));
        // what rows of places see
        assert_eq!(same(3, 1).lines(0..4, 16), 0..5);
        assert_eq!(same(3, 1).lines(4..8, 16), 3..9);
        assert_eq!(same(5, 2).lines(4..8, 16), 7..16);
        assert_eq!(same(5, 1).lines(1..2, 2), 0..2);

        let each = Window {
            size: 3,
            stride: 2,
            padding: Padding::Each(1),
        };
        assert_eq!(
            each.places(Grid {
                height: 224,
                width: 7
            }),
            Grid {
                height: 112,
                width: 4
            }
        );
        assert_eq!(each.under(0, 224), (-1, 1..3));
        let patches = Window {
            size: 32,
            stride: 32,
            padding: Padding::Each(0),
        };
        assert_eq!(patches.count(224), 7);
        assert_eq!(patches.under(6, 224), (192, 0..32));
    }

    #[test]
    #[should_panic(expected = "a window of 4 on 3")]
    fn a_window_larger_than_the_padded_image_is_refused() {
        let window = Window {
            size: 4,
            stride: 1,
            padding: Padding::Each(1),
        };
        window.places(Grid {
            height: 5,
            width: 1,
        });
    }
}
