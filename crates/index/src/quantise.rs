//! Codes: what the index compares instead of the vectors, a quarter of their size.
//!
//! A vector is moved so that the mean of the collection becomes the origin
//! (CLIP's vectors share a large common part that would eat most of a byte's
//! range), then rounded to 8 bits with one scale for each vector, or to bf16, or
//! kept. Searches read codes and rescore their best candidates with the
//! originals. Called by the scans, the graph and its construction.
//!
//! Invariants: a distance between a target and a row is `|row|² - 2·row·target`,
//! less what all rows share, so smaller is nearer under every metric; and it is
//! off by at most [`Codes::error_bound`], so a scan of codes can be exact.

mod cell;
mod target;

use lookalike_kernels::dispatch::cpu;
use lookalike_kernels::dot::dot;
use lookalike_kernels::memory::Pages;
use lookalike_kernels::score::{Bf16, Rows, score};
use rayon::prelude::*;

use crate::Metric;
pub(crate) use cell::Cell;
pub(crate) use target::Target;

/// What a vector is rounded to for searching. Scores always come from the
/// vectors themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// 8 bits a dimension with a scale for each vector.
    #[default]
    Int8,
    /// 16 bits a dimension.
    Bf16,
    /// The vector as it is: 32 bits a dimension.
    F32,
}

/// Codes of any precision.
#[derive(Debug)]
pub(crate) enum AnyCodes {
    Int8(Codes<u8>),
    Bf16(Codes<Bf16>),
    F32(Codes<f32>),
}

/// Runs an expression with the codes, whatever their precision.
macro_rules! with_codes {
    ($any:expr, $codes:ident => $body:expr) => {
        match $any {
            $crate::quantise::AnyCodes::Int8($codes) => $body,
            $crate::quantise::AnyCodes::Bf16($codes) => $body,
            $crate::quantise::AnyCodes::F32($codes) => $body,
        }
    };
}
pub(crate) use with_codes;

/// The codes of a segment's nodes.
#[derive(Debug)]
pub(crate) struct Codes<C: Cell> {
    pub space: Space,
    /// Shape `[rows, width]`.
    cells: Pages<C>,
    width: usize,
    sizes: Vec<Size>,
    /// Length of what rounding cut off, for each row.
    errors: Vec<f32>,
    /// Under inner product, what completes each row to the longest one's length:
    /// with it as one more dimension, nearest means largest product.
    lifts: Vec<f32>,
}

/// The arrays that codes are made of.
pub(crate) struct CodeParts<'a, C> {
    pub cells: &'a [C],
    pub sizes: &'a [Size],
    pub errors: &'a [f32],
    pub lifts: &'a [f32],
}

/// What all rows of some codes share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Space {
    pub metric: Metric,
    /// The origin of the rows.
    pub mean: Vec<f32>,
    /// The squared length that lifts complete to.
    pub longest: f32,
    /// The largest norm of any row.
    pub largest_norm: f32,
    /// The largest error of any row.
    pub largest_error: f32,
}

/// What distances need beside a row's cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Size {
    /// What one step of the row's integers is worth; 1 for floats.
    pub scale: f32,
    pub squared_norm: f32,
}

/// Vectors by row, as the store holds them.
pub(crate) trait Vectors: Sync {
    fn count(&self) -> usize;
    fn vector(&self, row: usize) -> &[f32];
}

impl Space {
    /// The space that is not moved.
    pub fn origin(metric: Metric, dimension: usize) -> Self {
        Self {
            metric,
            mean: vec![0.0; dimension],
            longest: 0.0,
            largest_norm: 0.0,
            largest_error: 0.0,
        }
    }

    /// The space around the mean of some vectors as the metric compares them.
    pub fn around(metric: Metric, dimension: usize, vectors: &impl Vectors) -> Self {
        // Sums of fixed stretches, so that the result does not depend on the threads.
        const STRETCH: usize = 4096;
        let count = vectors.count();
        let sum_stretch = |stretch: usize| {
            let mut sum = vec![0.0_f64; dimension];
            for row in stretch * STRETCH..count.min((stretch + 1) * STRETCH) {
                let vector = vectors.vector(row);
                let length = f64::from(divisor(metric, vector));
                for (sum, value) in sum.iter_mut().zip(vector) {
                    *sum += f64::from(*value) / length;
                }
            }
            sum
        };
        let stretches = (0..count.div_ceil(STRETCH)).into_par_iter();
        let mut mean = vec![0.0_f64; dimension];
        for sum in stretches.map(sum_stretch).collect::<Vec<_>>() {
            for (mean, sum) in mean.iter_mut().zip(sum) {
                *mean += sum / count as f64;
            }
        }
        Self {
            mean: mean.into_iter().map(|value| value as f32).collect(),
            ..Self::origin(metric, dimension)
        }
    }

    /// A vector as the metric compares it, with the mean as its origin.
    fn centre(&self, vector: &[f32], centred: &mut [f32]) {
        let length = divisor(self.metric, vector);
        for ((out, value), mean) in centred.iter_mut().zip(vector).zip(&self.mean) {
            *out = value / length - mean;
        }
    }
}

/// What a vector is divided by before it is compared: its length under cosine.
fn divisor(metric: Metric, vector: &[f32]) -> f32 {
    match metric {
        Metric::Cosine => dot(vector, vector).sqrt(),
        Metric::InnerProduct | Metric::L2 => 1.0,
    }
}

impl<C: Cell> Codes<C> {
    /// No rows yet.
    pub fn empty(space: Space) -> Self {
        Self {
            width: C::width(space.mean.len()),
            space,
            cells: Pages::default(),
            sizes: Vec::new(),
            errors: Vec::new(),
            lifts: Vec::new(),
        }
    }

    /// Codes of arrays that were written before; `None` if their lengths disagree.
    pub fn from_parts(
        space: Space,
        cells: Pages<C>,
        sizes: Vec<Size>,
        errors: Vec<f32>,
        lifts: Vec<f32>,
    ) -> Option<Self> {
        let (rows, width) = (sizes.len(), C::width(space.mean.len()));
        let lifted = if space.metric == Metric::InnerProduct {
            rows
        } else {
            0
        };
        let fits = cells.len() == rows * width && errors.len() == rows && lifts.len() == lifted;
        fits.then_some(Self {
            space,
            cells,
            width,
            sizes,
            errors,
            lifts,
        })
    }

    pub fn parts(&self) -> CodeParts<'_, C> {
        CodeParts {
            cells: &self.cells,
            sizes: &self.sizes,
            errors: &self.errors,
            lifts: &self.lifts,
        }
    }

    /// These codes followed by those of more vectors.
    pub fn extended(&self, vectors: &impl Vectors) -> Self {
        let (before, count, width) = (self.len(), vectors.count(), self.width);
        let mut cells = Pages::zeroed((before + count) * width);
        cells[..before * width].copy_from_slice(&self.cells);
        let (metric, dimension) = (self.space.metric, self.space.mean.len());
        let facts: Vec<(Size, f32, f32)> = cells[before * width..]
            .par_chunks_exact_mut(width)
            .enumerate()
            .map_init(
                || vec![0.0; dimension],
                |centred, (row, cells)| {
                    let vector = vectors.vector(row);
                    self.space.centre(vector, centred);
                    let (scale, error) = C::round(centred, cells);
                    let squared_norm = dot(centred, centred);
                    (
                        Size {
                            scale,
                            squared_norm,
                        },
                        error,
                        dot(vector, vector),
                    )
                },
            )
            .collect();
        let mut space = self.space.clone();
        for (size, error, square) in &facts {
            space.largest_norm = space.largest_norm.max(size.squared_norm.sqrt());
            space.largest_error = space.largest_error.max(*error);
            if before == 0 {
                space.longest = space.longest.max(*square);
            }
        }
        let mut codes = Self {
            cells,
            width,
            sizes: self.sizes.clone(),
            errors: self.errors.clone(),
            lifts: self.lifts.clone(),
            space,
        };
        codes.sizes.extend(facts.iter().map(|fact| fact.0));
        codes.errors.extend(facts.iter().map(|fact| fact.1));
        if metric == Metric::InnerProduct {
            let longest = codes.space.longest;
            let lift = |square: f32| (longest - square).max(0.0).sqrt();
            codes.lifts.extend(facts.iter().map(|fact| lift(fact.2)));
        }
        codes
    }

    /// The same rows in another order, `order[new] = old`.
    pub fn reordered(&self, order: &[u32]) -> Self {
        let mut cells = Pages::zeroed(order.len() * self.width);
        cells
            .par_chunks_exact_mut(self.width)
            .zip(order)
            .for_each(|(to, from)| to.copy_from_slice(self.row(*from)));
        Self {
            space: self.space.clone(),
            cells,
            width: self.width,
            sizes: pick(&self.sizes, order),
            errors: pick(&self.errors, order),
            lifts: pick(&self.lifts, order),
        }
    }

    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.cells[..])
            + size_of_val(&self.sizes[..])
            + size_of_val(&self.errors[..])
            + size_of_val(&self.lifts[..])
    }

    fn row(&self, row: u32) -> &[C] {
        &self.cells[row as usize * self.width..][..self.width]
    }

    /// A checked query as a target to measure rows against.
    pub fn target(&self, query: &[f32]) -> Target<C> {
        let mut centred = vec![0.0; query.len()];
        match self.space.metric {
            Metric::InnerProduct => {
                // Only the rows are moved: that shifts all products alike.
                let mut target = Target::rounded(query, self.width);
                target.weight = 0.0;
                target.offset = 2.0 * dot(query, &self.space.mean);
                target.detour = dot(&self.space.mean, &self.space.mean).sqrt();
                target
            }
            metric @ (Metric::Cosine | Metric::L2) => {
                self.space.centre(query, &mut centred);
                let mut target = Target::rounded(&centred, self.width);
                target.offset = -dot(&centred, &centred);
                target.unit = if metric == Metric::Cosine { 1.0 } else { 0.0 };
                target
            }
        }
    }

    /// Makes `target` a row of these codes, for [`Codes::distances_between`].
    pub fn aim(&self, row: u32, target: &mut Target<C>) {
        target.become_row(self.row(row), self.sizes[row as usize]);
        target.lift = self.lifts.get(row as usize).copied().unwrap_or(0.0);
    }

    /// Distances of rows to a target, smaller is nearer.
    pub fn distances(&self, target: &Target<C>, rows: Rows<'_>, out: &mut [f32]) {
        /// Products kept on the stack at a time.
        const STRETCH: usize = 128;
        let mut products = [C::no_product(); STRETCH];
        let mut from = 0;
        for out in out.chunks_mut(STRETCH) {
            let products = &mut products[..out.len()];
            let rows = rows.part(from, out.len());
            score(cpu(), &self.cells, rows, &target.cells, products);
            match rows {
                Rows::From(first) => {
                    let sizes = &self.sizes[first..first + out.len()];
                    for ((out, product), size) in out.iter_mut().zip(products).zip(sizes) {
                        *out = target.distance(*product, *size);
                    }
                }
                Rows::Listed(list) => {
                    for ((out, product), row) in out.iter_mut().zip(products).zip(list) {
                        *out = target.distance(*product, self.sizes[*row as usize]);
                    }
                }
            }
            from += out.len();
        }
    }

    /// As [`Codes::distances`], for a target that is a row ([`Codes::aim`]).
    pub fn distances_between(&self, target: &Target<C>, rows: &[u32], out: &mut [f32]) {
        self.distances(target, Rows::Listed(rows), out);
        if !self.lifts.is_empty() {
            for (out, row) in out.iter_mut().zip(rows) {
                *out += (target.lift - self.lifts[*row as usize]).powi(2);
            }
        }
    }

    /// The squared norm of a row: what [`Codes::distances_between`] lacks to the
    /// squared distance from it.
    pub fn squared_norm(&self, row: u32) -> f32 {
        self.sizes[row as usize].squared_norm
    }

    /// Which distance to a query's target belongs to an exact rank.
    pub fn distance_of(&self, target: &Target<C>, rank: f32) -> f32 {
        target.offset
            + match self.space.metric {
                Metric::Cosine => 2.0 - 2.0 * rank,
                Metric::InnerProduct => -2.0 * rank,
                Metric::L2 => rank * rank,
            }
    }

    /// The most by which a row's distance to a query's target may differ from
    /// [`Codes::distance_of`] its exact rank: Cauchy and Schwarz on what rounding
    /// cut off, and the rounding of sums.
    pub fn error_bound(&self, target: &Target<C>, row: u32) -> f32 {
        let norm = self.sizes[row as usize].squared_norm.sqrt();
        target.error_bound(norm, self.errors[row as usize])
    }

    /// At least the [`Codes::error_bound`] of any row.
    pub fn largest_error_bound(&self, target: &Target<C>) -> f32 {
        target.error_bound(self.space.largest_norm, self.space.largest_error)
    }
}

/// Values in another order, `order[new] = old`, if there are any.
fn pick<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
    let order = order
        .iter()
        .take(if values.is_empty() { 0 } else { usize::MAX });
    order.map(|row| values[*row as usize]).collect()
}

#[cfg(test)]
mod tests;
