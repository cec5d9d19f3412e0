//! Depthwise convolution: each channel with a window of its own.

use super::{Grid, Window};
use crate::activation::{Activation, activate};
use crate::gemm::{Form, Layout, Operand};
use crate::machine::Machine;
use crate::memory::Shared;
use crate::simd::{Kernel, Simd};

/// A depthwise layer with its weights, of any odd or even window size and stride.
#[derive(Clone, Debug)]
pub struct Depthwise {
    channels: usize,
    window: Window,
    /// A row of channels for each pixel of the window.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

/// Places along a row that share the loads of the weights.
const BLOCK: usize = 4;

impl Depthwise {
    /// `weights` has the pixels of the window for each channel, as `PyTorch` stores
    /// them; `bias` an element for each channel.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn new(weights: &[f32], bias: &[f32], window: Window, activation: Activation) -> Self {
        let (channels, taps) = (bias.len(), window.size * window.size);
        assert!(channels > 0 && weights.len() == channels * taps);
        let by_tap = (0..taps).flat_map(|tap| (0..channels).map(move |c| weights[c * taps + tap]));
        Self {
            channels,
            window,
            weights: by_tap.collect(),
            bias: bias.to_vec(),
            activation,
        }
    }

    /// Size of the result for images of size `grid`.
    ///
    /// # Panics
    /// As [`Window::places`].
    pub fn places(&self, grid: Grid) -> Grid {
        self.window.places(grid)
    }

    /// Writes a row of channels for each place on each image of `pixels` to `to`.
    ///
    /// # Panics
    /// If a length does not fit, or as [`Window::places`].
    pub fn apply(&self, machine: &Machine, pixels: &[f32], grid: Grid, to: &mut [f32]) {
        let places = self.places(grid);
        let images = self.images(pixels, grid);
        assert_eq!(to.len(), images * places.pixels() * self.channels);
        let to = Shared::new(to);
        let line = places.width * self.channels;
        machine.pool.run_ranges(images * places.height, 1, |range| {
            for row in range {
                // SAFETY: each row of places is in one range.
                let to = unsafe { to.part(row * line..(row + 1) * line) };
                self.line(machine, pixels, grid, row, to);
            }
        });
    }

    /// Makes `to` these rows in `layout`.
    ///
    /// # Panics
    /// As [`Depthwise::apply`].
    pub fn apply_to_operand(
        &self,
        machine: &Machine,
        pixels: &[f32],
        grid: Grid,
        (layout, to): (Layout, &mut Operand),
    ) {
        let places = self.places(grid);
        let images = self.images(pixels, grid);
        to.reset(Form::rows(layout), images * places.pixels(), self.channels);
        let writer = to.writer();
        machine.pool.run_ranges(images * places.height, 1, |range| {
            let mut line = vec![0.0; places.width * self.channels];
            for row in range {
                self.line(machine, pixels, grid, row, &mut line);
                for (x, values) in line.chunks_exact(self.channels).enumerate() {
                    // SAFETY: each row of places is in one range.
                    unsafe { writer.row(machine.cpu, row * places.width + x, values) };
                }
            }
        });
    }

    fn images(&self, pixels: &[f32], grid: Grid) -> usize {
        let image = grid.pixels() * self.channels;
        assert!(image > 0 && pixels.len().is_multiple_of(image));
        pixels.len() / image
    }

    /// One row of places, counted through all images.
    fn line(&self, machine: &Machine, pixels: &[f32], grid: Grid, row: usize, to: &mut [f32]) {
        let places = self.places(grid);
        let image = grid.pixels() * self.channels;
        machine.cpu.run(Line {
            layer: self,
            pixels: &pixels[row / places.height * image..][..image],
            grid,
            y: row % places.height,
            to,
        });
    }
}

struct Line<'a> {
    layer: &'a Depthwise,
    /// One image.
    pixels: &'a [f32],
    grid: Grid,
    y: usize,
    to: &'a mut [f32],
}

impl Kernel for Line<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = self.layer.channels;
        let count = self.to.len() / channels;
        let mut x = 0;
        while x < count {
            // a block whose windows lie wholly inside shares the weights
            if x + BLOCK <= count && self.is_inside(x) && self.is_inside(x + BLOCK - 1) {
                self.places::<S, BLOCK>(s, x);
                x += BLOCK;
            } else {
                self.places::<S, 1>(s, x);
                x += 1;
            }
        }
    }
}

impl Line<'_> {
    fn is_inside(&self, x: usize) -> bool {
        self.layer.window.under(x, self.grid.width).1.len() == self.layer.window.size
    }

    /// The results of `P` neighbouring places, of which `x` is the first.
    #[inline(always)]
    fn places<S: Simd, const P: usize>(&mut self, s: S, x: usize) {
        let channels = self.layer.channels;
        let mut channel = 0;
        while channels - channel >= S::LANES {
            self.channels::<S, P>(s, x, channel, S::LANES);
            channel += S::LANES;
        }
        if channel < channels {
            self.channels::<S, P>(s, x, channel, channels - channel);
        }
    }

    /// `count` channels of `P` neighbouring places.
    #[inline(always)]
    fn channels<S: Simd, const P: usize>(&mut self, s: S, x: usize, channel: usize, count: usize) {
        let Depthwise {
            channels,
            window,
            weights,
            bias,
            activation,
        } = self.layer;
        let (top, rows) = window.under(self.y, self.grid.height);
        let (left, columns) = window.under(x, self.grid.width);
        let mut sums = [load(s, bias, channel, count); P];
        for row in rows {
            let line = (top + row as isize) as usize * self.grid.width;
            for column in columns.clone() {
                let tap = row * window.size + column;
                let weight = load(s, weights, tap * channels + channel, count);
                let first = line + (left + column as isize) as usize;
                for (p, sum) in sums.iter_mut().enumerate() {
                    let at = (first + p * window.stride) * channels + channel;
                    *sum = s.mul_add(load(s, self.pixels, at, count), weight, *sum);
                }
            }
        }
        for (p, sum) in sums.into_iter().enumerate() {
            let at = (x + p) * channels + channel;
            let value = activate(s, *activation, sum);
            if count == S::LANES {
                s.store(value, &mut self.to[at..]);
            } else {
                s.store_head(value, &mut self.to[at..at + count]);
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(s: S, from: &[f32], at: usize, count: usize) -> S::Floats {
    if count == S::LANES {
        s.load(&from[at..])
    } else {
        s.load_head(&from[at..at + count])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dispatch::Cpu;
    use crate::image::Padding;
    use crate::testing::Random;

    #[derive(Clone, Debug)]
    struct Problem {
        images: usize,
        channels: usize,
        grid: Grid,
        window: Window,
        seed: u64,
    }

    impl Problem {
        fn layer(&self) -> (Depthwise, Vec<f32>, Vec<f32>) {
            let mut random = Random::new(self.seed);
            let weights = random.floats(self.channels * self.window.size * self.window.size);
            let bias = random.floats(self.channels);
            let pixels = random.floats(self.images * self.grid.pixels() * self.channels);
            let layer = Depthwise::new(&weights, &bias, self.window, Activation::None);
            (layer, weights, pixels)
        }

        fn exact(&self) -> Vec<f64> {
            let (layer, weights, pixels) = self.layer();
            let (size, places) = (self.window.size, self.window.places(self.grid));
            let mut out = Vec::new();
            for place in 0..self.images * places.pixels() {
                let image = place / places.pixels();
                let (y, x) = (place % places.pixels() / places.width, place % places.width);
                for channel in 0..self.channels {
                    let mut sum = f64::from(layer.bias[channel]);
                    for tap in 0..size * size {
                        let y = self.window.under(y, self.grid.height).0 + (tap / size) as isize;
                        let x = self.window.under(x, self.grid.width).0 + (tap % size) as isize;
                        if (0..self.grid.height as isize).contains(&y)
                            && (0..self.grid.width as isize).contains(&x)
                        {
                            let pixel = image * self.grid.pixels()
                                + y as usize * self.grid.width
                                + x as usize;
                            sum += f64::from(pixels[pixel * self.channels + channel])
                                * f64::from(weights[channel * size * size + tap]);
                        }
                    }
                    out.push(sum);
                }
            }
            out
        }
    }

    fn problems() -> impl Strategy<Value = Problem> {
        let side: usize = if cfg!(miri) { 5 } else { 13 };
        (
            1_usize..3,
            1_usize..40,
            1..=side,
            1..=side,
            1_usize..6,
            1_usize..3,
            any::<u64>(),
        )
            .prop_map(
                |(images, channels, height, width, size, stride, seed)| Problem {
                    images,
                    channels,
                    grid: Grid { height, width },
                    window: Window {
                        size,
                        stride,
                        padding: Padding::Same,
                    },
                    seed,
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn every_level_is_close_to_exact(problem in problems()) {
            let (layer, _, pixels) = problem.layer();
            let want = problem.exact();
            for cpu in Cpu::available() {
                let mut got = vec![f32::NAN; want.len()];
                layer.apply(&Machine::new(cpu, 1), &pixels, problem.grid, &mut got);
                for (got, want) in got.iter().zip(&want) {
                    prop_assert!((f64::from(*got) - want).abs() < 1e-5, "{}: {got} {want}", cpu.isa());
                }
                let mut threaded = vec![f32::NAN; want.len()];
                layer.apply(&Machine::new(cpu, 3), &pixels, problem.grid, &mut threaded);
                prop_assert_eq!(&threaded, &got);
            }
        }

        #[test]
        fn operands_hold_the_encoded_rows_after_the_activation(problem in problems()) {
            let (mut layer, _, pixels) = problem.layer();
            layer.activation = Activation::Relu6;
            for cpu in Cpu::available() {
                let machine = Machine::new(cpu, 2);
                let mut rows = vec![0.0; problem.exact().len()];
                layer.apply(&machine, &pixels, problem.grid, &mut rows);
                prop_assert!(rows.iter().all(|x| (0.0..=6.0).contains(x)));
                for layout in [Layout::F32, Layout::Bf16, Layout::I16] {
                    let (mut got, mut want) = (Operand::new(), Operand::new());
                    layer.apply_to_operand(&machine, &pixels, problem.grid, (layout, &mut got));
                    want.assign(&machine, layout, &rows, problem.channels);
                    prop_assert!(got == want, "{layout:?} on {}", cpu.isa());
                }
            }
        }
    }
}
