//! Averages over pixels.

use super::Grid;
use crate::dispatch::Cpu;
use crate::machine::Machine;
use crate::memory::Shared;
use crate::simd::{Kernel, Simd};

/// Averages squares of `size` × `size` pixels, side by side, of each image of `pixels` (rows
/// of `channels`) into `to`; rows and columns of pixels that do not fill a square are left out.
///
/// # Panics
/// If a length does not fit, or an image is smaller than a square.
pub fn average_pool(
    machine: &Machine,
    (pixels, grid): (&[f32], Grid),
    channels: usize,
    size: usize,
    to: &mut [f32],
) {
    let image = grid.pixels() * channels;
    assert!(image > 0 && size > 0 && pixels.len().is_multiple_of(image));
    let (height, width) = (grid.height / size, grid.width / size);
    assert!(height > 0 && width > 0, "squares of {size} on {grid:?}");
    assert_eq!(to.len(), pixels.len() / image * height * width * channels);
    let lines = pixels.len() / image * height;
    let length = width * channels;
    let to = Shared::new(to);
    machine.pool.run_ranges(lines, 4, |range| {
        for line in range {
            let first = line / height * image + line % height * size * grid.width * channels;
            machine.cpu.run(Line {
                pixels: &pixels[first..first + size * grid.width * channels],
                pitch: grid.width * channels,
                channels,
                size,
                // SAFETY: each line is in one range.
                to: unsafe { to.part(line * length..(line + 1) * length) },
            });
        }
    });
}

/// One line of squares.
struct Line<'a> {
    /// The lines of pixels under it.
    pixels: &'a [f32],
    pitch: usize,
    channels: usize,
    size: usize,
    to: &'a mut [f32],
}

impl Kernel for Line<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let factor = s.splat(1.0 / (self.size * self.size) as f32);
        for (x, to) in self.to.chunks_exact_mut(self.channels).enumerate() {
            for (c, to) in to.chunks_mut(S::LANES).enumerate() {
                let mut sum = s.splat(0.0);
                for row in 0..self.size {
                    for column in 0..self.size {
                        let pixel = (x * self.size + column) * self.channels;
                        let at = row * self.pitch + pixel + c * S::LANES;
                        sum = s.add(sum, s.load_head(&self.pixels[at..at + to.len()]));
                    }
                }
                s.store_head(s.mul(sum, factor), to);
            }
        }
    }
}

/// Writes the mean of the rows of `x` to `to`, which has the length of a row.
///
/// # Panics
/// If `x` is not a whole number of rows, or none.
pub fn mean_rows(cpu: Cpu, x: &[f32], to: &mut [f32]) {
    assert!(!to.is_empty() && !x.is_empty() && x.len().is_multiple_of(to.len()));
    cpu.run(Mean { x, to });
}

struct Mean<'a> {
    x: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for Mean<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.to.len();
        let factor = s.splat(1.0 / (self.x.len() / width) as f32);
        for (c, to) in self.to.chunks_mut(S::LANES).enumerate() {
            let mut sum = s.splat(0.0);
            for row in self.x.chunks_exact(width) {
                sum = s.add(sum, s.load_head(&row[c * S::LANES..][..to.len()]));
            }
            s.store_head(s.mul(sum, factor), to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn squares_are_averaged_on_every_level() {
        for (height, width, channels, size) in
            [(4, 6, 5, 2), (7, 5, 17, 2), (9, 9, 33, 3), (2, 2, 1, 2)]
        {
            let grid = Grid { height, width };
            let pixels = Random::new(1).floats(2 * height * width * channels);
            let (rows, columns) = (height / size, width / size);
            for cpu in Cpu::available() {
                let mut got = vec![f32::NAN; 2 * rows * columns * channels];
                average_pool(
                    &Machine::new(cpu, 2),
                    (&pixels, grid),
                    channels,
                    size,
                    &mut got,
                );
                for (i, got) in got.iter().enumerate() {
                    let (c, place) = (i % channels, i / channels);
                    let (x, y, image) = (
                        place % columns,
                        place / columns % rows,
                        place / columns / rows,
                    );
                    let mut want = 0.0;
                    for (dy, dx) in (0..size).flat_map(|y| (0..size).map(move |x| (y, x))) {
                        let pixel = (image * height + y * size + dy) * width + x * size + dx;
                        want += f64::from(pixels[pixel * channels + c]);
                    }
                    want /= (size * size) as f64;
                    assert!((f64::from(*got) - want).abs() < 1e-6, "{} {i}", cpu.isa());
                }
            }
        }
    }

    #[test]
    fn rows_are_averaged_on_every_level() {
        for (rows, width) in [(1, 1), (64, 1280), (49, 37)] {
            let x = Random::new(2).floats(rows * width);
            for cpu in Cpu::available() {
                let mut got = vec![f32::NAN; width];
                mean_rows(cpu, &x, &mut got);
                for (c, got) in got.iter().enumerate() {
                    let column = x.iter().skip(c).step_by(width).map(|x| f64::from(*x));
                    let want = column.sum::<f64>() / rows as f64;
                    assert!((f64::from(*got) - want).abs() < 1e-6);
                }
            }
        }
    }
}
