//! From the trunk's features to the semantic and visual blocks of an image vector.
//!
//! Semantic: `ConSE` (Norouzi et al. 2013, arXiv:1312.5650): the class probabilities weigh the classes' word vectors, so that a
//! picture lands among the words for what it shows. Probabilities are the mean of those of the pooled picture and of
//! its 64 cells. Visual: the classifier's leading singular directions, which only pictures have.

use candle_core::{Result, Tensor};

use super::assets::Assets;
use super::convolution::{Activation, Pointwise};
use super::trunk::FEATURES;
use crate::vector::normalise;

const CLASSES: usize = 1000;

pub(super) struct Head {
    classifier: Pointwise,
    /// One row of `semantic` values a class.
    values: Vec<f32>,
    semantic: usize,
    /// One row of `visual` values a feature.
    directions: Vec<f32>,
    visual: usize,
}

impl Head {
    pub(super) fn load(assets: &Assets) -> Self {
        let (semantic, visual) = (assets.config.semantic_dim, assets.config.visual_dim);
        let weight = assets.transposed("image.fc.weight", CLASSES, FEATURES);
        Self {
            classifier: Pointwise::new(
                weight,
                assets.floats("image.fc.bias", CLASSES),
                Activation::None,
            ),
            values: assets.transposed("image.values.weight", semantic, CLASSES),
            semantic,
            directions: assets.transposed("image.visual.weight", visual, FEATURES),
            visual,
        }
    }

    /// Features of the grid, `[height, width, 1280]`, to the two blocks, each of unit length.
    pub(super) fn forward(&self, grid: &Tensor) -> Result<(Vec<f32>, Vec<f32>)> {
        let (height, width, _) = grid.dims3()?;
        let cells = grid.reshape((height * width, FEATURES))?.to_vec2::<f32>()?;
        let pooled = mean_rows(&cells);

        let cell_probabilities: Vec<_> = rows(&self.classifier.forward(grid, None)?)?
            .iter()
            .map(|row| softmax(row))
            .collect();
        let pooled_row = Tensor::from_slice(&pooled, (1, 1, FEATURES), grid.device())?;
        let pooled_probabilities = softmax(&rows(&self.classifier.forward(&pooled_row, None)?)?[0]);
        let probabilities: Vec<f32> = mean_rows(&cell_probabilities)
            .iter()
            .zip(&pooled_probabilities)
            .map(|(cells, pooled)| (cells + pooled) / 2.0)
            .collect();

        Ok((
            unit_product(&probabilities, &self.values, self.semantic),
            unit_product(&pooled, &self.directions, self.visual),
        ))
    }
}

/// The pixels of a `[height, width, channels]` tensor as vectors.
fn rows(tensor: &Tensor) -> Result<Vec<Vec<f32>>> {
    tensor.flatten(0, 1)?.to_vec2()
}

fn mean_rows(rows: &[Vec<f32>]) -> Vec<f32> {
    let mut mean = vec![0.0; rows[0].len()];
    for row in rows {
        for (sum, x) in mean.iter_mut().zip(row) {
            *sum += x;
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a grid has at most a few hundred cells"
    )]
    let scale = 1.0 / rows.len() as f32;
    for x in &mut mean {
        *x *= scale;
    }
    mean
}

/// Probabilities from logits.
pub(super) fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut weights: Vec<f32> = logits.iter().map(|x| (x - top).exp()).collect();
    let scale = weights.iter().sum::<f32>().recip();
    for x in &mut weights {
        *x *= scale;
    }
    weights
}

/// `vector` times a matrix that has one row of `columns` values for each of its elements, scaled to unit length.
fn unit_product(vector: &[f32], matrix: &[f32], columns: usize) -> Vec<f32> {
    let mut product = vec![0.0; columns];
    for (&x, row) in vector.iter().zip(matrix.chunks_exact(columns)) {
        for (sum, value) in product.iter_mut().zip(row) {
            *sum += x * value;
        }
    }
    normalise(&mut product);
    product
}
