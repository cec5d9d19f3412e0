//! The pixels under each place of a window as a row: turns the first layer of an image
//! encoder (patches of a transformer, stem of a convolutional network) into a matrix product.

use super::{Grid, Window};
use crate::gemm::{Layout, Operand};
use crate::machine::Machine;

/// Rows of the pixels under a window, channel by channel, of images that are planes of
/// pixels: a row matches a row of `PyTorch`'s convolution weights.
#[derive(Clone, Copy, Debug)]
pub struct Unfold {
    /// Planes of an image.
    pub channels: usize,
    /// Size of a plane.
    pub grid: Grid,
    /// The window.
    pub window: Window,
}

impl Unfold {
    /// Columns of a row.
    pub fn columns(&self) -> usize {
        self.channels * self.window.size * self.window.size
    }

    /// Makes `to` a row for each place on each image of `planes`, in `layout`.
    ///
    /// # Panics
    /// If `planes` is not a whole number of images, or as [`Window::places`].
    pub fn apply(&self, machine: &Machine, planes: &[f32], layout: Layout, to: &mut Operand) {
        let image = self.channels * self.grid.pixels();
        assert!(image > 0 && planes.len().is_multiple_of(image));
        let places = self.window.places(self.grid);
        let rows = planes.len() / image * places.pixels();
        to.reset(layout.into(), rows, self.columns());
        let writer = to.writer();
        machine.pool.run_ranges(rows, 8, |range| {
            let mut values = vec![0.0; self.columns()];
            for row in range {
                let planes = &planes[row / places.pixels() * image..][..image];
                let place = row % places.pixels();
                self.row(
                    planes,
                    place / places.width,
                    place % places.width,
                    &mut values,
                );
                // SAFETY: each row is in one range.
                unsafe { writer.row(machine.cpu, row, &values) };
            }
        });
    }

    fn row(&self, planes: &[f32], y: usize, x: usize, values: &mut [f32]) {
        let Grid { height, width } = self.grid;
        let size = self.window.size;
        let (top, rows) = self.window.under(y, height);
        let (left, columns) = self.window.under(x, width);
        if rows.len() < size || columns.len() < size {
            values.fill(0.0);
        }
        let planes = planes.chunks_exact(self.grid.pixels());
        for (plane, values) in planes.zip(values.chunks_exact_mut(size * size)) {
            for row in rows.clone() {
                let from = (top + row as isize) as usize * width;
                let from = from + (left + columns.start as isize) as usize;
                let to = row * size + columns.start;
                values[to..to + columns.len()].copy_from_slice(&plane[from..from + columns.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Cpu;
    use crate::image::Padding;
    use crate::testing::Random;

    #[test]
    fn rows_are_the_pixels_under_the_window() {
        let cases = [
            (3, 32, 64, 32, 32, Padding::Each(0)),
            (3, 9, 7, 3, 2, Padding::Same),
            (2, 8, 6, 3, 2, Padding::Each(1)),
            (1, 2, 3, 5, 1, Padding::Same),
        ];
        for (channels, height, width, size, stride, padding) in cases {
            let unfold = Unfold {
                channels,
                grid: Grid { height, width },
                window: Window {
                    size,
                    stride,
                    padding,
                },
            };
            let planes = Random::new(1).floats(2 * channels * height * width);
            let places = unfold.window.places(unfold.grid);
            let mut want = Vec::new();
            for image in planes.chunks_exact(channels * height * width) {
                for (y, x) in
                    (0..places.height).flat_map(|y| (0..places.width).map(move |x| (y, x)))
                {
                    for channel in 0..channels {
                        for (row, column) in (0..size).flat_map(|y| (0..size).map(move |x| (y, x)))
                        {
                            let y = unfold.window.under(y, height).0 + row as isize;
                            let x = unfold.window.under(x, width).0 + column as isize;
                            let inside = (0..height as isize).contains(&y)
                                && (0..width as isize).contains(&x);
                            let pixel =
                                (channel as isize * height as isize + y) * width as isize + x;
                            want.push(if inside { image[pixel as usize] } else { 0.0 });
                        }
                    }
                }
            }
            for layout in [Layout::F32, Layout::Bf16, Layout::U8] {
                let machine = Machine::new(Cpu::detect(), 2);
                let (mut got, mut expected) = (Operand::new(), Operand::new());
                unfold.apply(&machine, &planes, layout, &mut got);
                expected.assign(&machine, layout, &want, unfold.columns());
                assert!(got == expected, "{unfold:?} {layout:?}");
            }
        }
    }
}
