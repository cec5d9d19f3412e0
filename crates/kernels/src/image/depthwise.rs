//! Depthwise convolution: each channel with a window of its own.

use std::iter::repeat_n;
use std::ops::Range;
use std::slice;

use super::{Grid, Window};
use crate::activation::{Activation, activate};
use crate::machine::Machine;
use crate::memory::Shared;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// A depthwise layer with its weights, whose window is one that networks for small machines use: 3 or 5
/// pixels a side, stride 1 or 2.
#[derive(Clone, Debug)]
pub struct Depthwise {
    channels: usize,
    window: Window,
    /// A row of channels for each pixel of the window, and one of zeros, which windows see beyond the edges.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

impl Depthwise {
    /// `weights` has the pixels of the window for each channel, as `PyTorch` stores
    /// them; `bias` an element for each channel.
    ///
    /// # Panics
    /// If the lengths do not fit, or the window is another one.
    pub fn new(weights: &[f32], bias: &[f32], window: Window, activation: Activation) -> Self {
        let Window { size, stride, .. } = window;
        assert!(
            matches!(size, 3 | 5) && matches!(stride, 1 | 2),
            "{window:?}"
        );
        let (channels, taps) = (bias.len(), size * size);
        assert!(channels > 0 && weights.len() == channels * taps);
        let by_tap = (0..taps).flat_map(|tap| (0..channels).map(move |c| weights[c * taps + tap]));
        Self {
            channels,
            window,
            weights: by_tap.chain(repeat_n(0.0, channels)).collect(),
            bias: bias.to_vec(),
            activation,
        }
    }

    /// The window.
    pub fn window(&self) -> Window {
        self.window
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
        let image = grid.pixels() * self.channels;
        assert!(image > 0 && pixels.len().is_multiple_of(image));
        let result = places.pixels() * self.channels;
        assert_eq!(to.len(), pixels.len() / image * result);
        let images = pixels.chunks_exact(image);
        for (pixels, to) in images.zip(to.chunks_exact_mut(result)) {
            self.apply_rows(machine, pixels, grid, 0..places.height, to);
        }
    }

    /// Writes a row of channels for each place in the given rows of places on one image of size `grid`, of which
    /// `pixels` has the lines that these places see ([`Window::lines`]).
    ///
    /// # Panics
    /// If a length does not fit, or as [`Window::lines`].
    pub fn apply_rows(
        &self,
        machine: &Machine,
        pixels: &[f32],
        grid: Grid,
        rows: Range<usize>,
        to: &mut [f32],
    ) {
        let seen = self.window.lines(rows.clone(), grid.height);
        assert_eq!(pixels.len(), seen.len() * grid.width * self.channels);
        let length = self.places(grid).width * self.channels;
        assert_eq!(to.len(), rows.len() * length);
        let to = Shared::new(to);
        machine.pool.run_ranges(rows.len(), 1, |range| {
            for row in range {
                machine.cpu.run(Line {
                    layer: self,
                    pixels,
                    width: grid.width,
                    lines: self.seen_from(rows.start + row, grid.height, seen.start),
                    before: self.window.under(0, grid.width).0,
                    // SAFETY: each row of places is in one range.
                    to: unsafe { to.part(row * length..(row + 1) * length) },
                });
            }
        });
    }

    /// The first line that the places of `row` see, counted from the line `start`, and which rows of the window that
    /// and the ones below lie under.
    fn seen_from(&self, row: usize, height: usize, start: usize) -> (usize, Range<usize>) {
        let (top, rows) = self.window.under(row, height);
        ((top + rows.start as isize) as usize - start, rows)
    }
}

/// One row of places.
struct Line<'a> {
    layer: &'a Depthwise,
    pixels: &'a [f32],
    /// Pixels of a line.
    width: usize,
    /// The first line that is seen, and the rows of the window that it and the ones below lie under.
    lines: (usize, Range<usize>),
    /// The first pixel under the first place, which may lie before the edge.
    before: isize,
    to: &'a mut [f32],
}

impl Kernel for Line<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let window = self.layer.window;
        match (window.size, window.stride) {
            (3, 1) => self.blocks::<S, 3, 1>(s),
            (3, _) => self.blocks::<S, 3, 2>(s),
            (_, 1) => self.blocks::<S, 5, 1>(s),
            _ => self.blocks::<S, 5, 2>(s),
        }
    }
}

/// The most neighbouring places that are computed together, sharing the loads of weights and of the pixels that
/// several of them see: as many as there are registers for.
const MAX_BLOCK: usize = 8;
/// The most pixels of a line that they see.
const MAX_SEEN: usize = MAX_BLOCK - 1 + 5;

/// For each line that a block sees, its pixels: rows of channels.
type Seen = [[*const f32; MAX_SEEN]; 5];

impl Line<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const SIZE: usize, const STRIDE: usize>(mut self, s: S) {
        let count = self.to.len() / self.layer.channels;
        let wide = S::LANES == MAX_LANES && STRIDE == 1;
        let mut x = 0;
        while x < count {
            if wide && x + MAX_BLOCK <= count {
                self.places::<S, SIZE, STRIDE, MAX_BLOCK>(s, x);
                x += MAX_BLOCK;
            } else if x + MAX_BLOCK / 2 <= count {
                self.places::<S, SIZE, STRIDE, { MAX_BLOCK / 2 }>(s, x);
                x += MAX_BLOCK / 2;
            } else {
                self.places::<S, SIZE, STRIDE, 1>(s, x);
                x += 1;
            }
        }
    }

    /// The results of `P` neighbouring places, of which `x` is the first.
    #[inline(always)]
    fn places<S: Simd, const SIZE: usize, const STRIDE: usize, const P: usize>(
        &mut self,
        s: S,
        x: usize,
    ) {
        let Depthwise {
            channels, weights, ..
        } = self.layer;
        let (line, rows) = self.lines.clone();
        let zeros = weights[SIZE * SIZE * channels..].as_ptr();
        let first = (x * STRIDE) as isize + self.before;
        let mut seen: Seen = [[zeros; MAX_SEEN]; 5];
        for (line, seen) in (line..line + rows.len()).zip(&mut seen) {
            let line = &self.pixels[line * self.width * channels..][..self.width * channels];
            for (column, pixel) in (first..).zip(&mut seen[..(P - 1) * STRIDE + SIZE]) {
                if (0..self.width as isize).contains(&column) {
                    *pixel = line.as_ptr().wrapping_add(column as usize * channels);
                }
            }
        }
        let whole = channels / S::LANES * S::LANES;
        for channel in (0..whole).step_by(S::LANES) {
            // SAFETY: each pixel has `channels` floats, and so have the zeros.
            unsafe { self.channels::<S, SIZE, STRIDE, P, true>(s, &seen, (x, channel)) };
        }
        if whole < *channels {
            // SAFETY: as above.
            unsafe { self.channels::<S, SIZE, STRIDE, P, false>(s, &seen, (x, whole)) };
        }
    }

    /// A vector of channels, not `WHOLE` a part of one, of `P` neighbouring places.
    ///
    /// # Safety
    /// The pixels must be rows of channels.
    #[inline(always)]
    unsafe fn channels<
        S: Simd,
        const SIZE: usize,
        const STRIDE: usize,
        const P: usize,
        const WHOLE: bool,
    >(
        &mut self,
        s: S,
        seen: &Seen,
        (x, channel): (usize, usize),
    ) {
        let Depthwise {
            channels,
            weights,
            bias,
            activation,
            ..
        } = self.layer;
        let count = if WHOLE { S::LANES } else { channels - channel };
        let load = |from: &[f32]| {
            if WHOLE {
                s.load(from)
            } else {
                s.load_head(&from[..count])
            }
        };
        let rows = self.lines.1.clone();
        let mut sums = [load(&bias[channel..]); P];
        for (pixels, row) in seen.iter().zip(rows) {
            let weights = &weights[row * SIZE * channels..][..SIZE * channels];
            let mut values = [s.splat(0.0); MAX_SEEN];
            for column in 0..(P - 1) * STRIDE + SIZE {
                // SAFETY: the caller's promise, and `channel + count` is at most `channels`.
                let pixel = unsafe { slice::from_raw_parts(pixels[column].add(channel), count) };
                values[column] = load(pixel);
            }
            for tap in 0..SIZE {
                let weight = load(&weights[tap * channels + channel..]);
                for p in 0..P {
                    sums[p] = s.mul_add(values[p * STRIDE + tap], weight, sums[p]);
                }
            }
        }
        for (p, sum) in sums.into_iter().enumerate() {
            let to = &mut self.to[(x + p) * channels + channel..][..count];
            let value = activate(s, *activation, sum);
            if WHOLE {
                s.store(value, to);
            } else {
                s.store_head(value, to);
            }
        }
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
            prop_oneof![Just(3_usize), Just(5)],
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
        fn some_rows_equal_those_of_the_whole(problem in problems()) {
            let (mut layer, _, pixels) = problem.layer();
            layer.activation = Activation::Relu6;
            let machine = Machine::new(Cpu::detect(), 2);
            let places = layer.places(problem.grid);
            let mut whole = vec![0.0; problem.exact().len()];
            layer.apply(&machine, &pixels, problem.grid, &mut whole);
            prop_assert!(whole.iter().all(|x| (0.0..=6.0).contains(x)));
            let middle = places.height / 2;
            for rows in [0..middle, middle..places.height] {
                if rows.is_empty() {
                    continue;
                }
                let line = problem.grid.width * problem.channels;
                let seen = problem.window.lines(rows.clone(), problem.grid.height);
                let seen = &pixels[seen.start * line..seen.end * line];
                let length = places.width * problem.channels;
                let mut part = vec![f32::NAN; rows.len() * length];
                layer.apply_rows(&machine, seen, problem.grid, rows.clone(), &mut part);
                prop_assert_eq!(&part[..], &whole[rows.start * length..rows.end * length]);
            }
        }
    }
}
