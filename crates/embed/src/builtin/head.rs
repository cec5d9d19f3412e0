//! From the trunk's features to the semantic and visual blocks of an image vector.
//!
//! Semantic: `ConSE` (Norouzi et al. 2013, arXiv:1312.5650): the class probabilities weigh the classes' word vectors, so that a
//! picture lands among the words for what it shows. Probabilities are the mean of those of the pooled picture and of
//! its 64 cells. Visual: the classifier's leading singular directions, which only pictures have.

use lookalike_kernels::image::mean_rows;
use lookalike_kernels::{Activation, Linear, Machine, Output, Packer, dot, softmax};

use super::assets::Assets;
use super::trunk::{FEATURES, pointwise};
use crate::vector::normalise;

const CLASSES: usize = 1000;

pub(super) struct Head {
    classifier: Linear,
    /// One row of classes for each of `semantic` values.
    values: Vec<f32>,
    semantic: usize,
    /// One row of features for each of `visual` values.
    directions: Vec<f32>,
    visual: usize,
}

impl Head {
    pub(super) fn load(assets: &Assets, packer: &mut Packer) -> Self {
        let (semantic, visual) = (assets.config.semantic_dim, assets.config.visual_dim);
        Self {
            classifier: pointwise(assets, packer, "image.fc", (FEATURES, CLASSES)),
            values: assets.floats("image.values.weight", semantic * CLASSES),
            semantic,
            directions: assets.floats("image.visual.weight", visual * FEATURES),
            visual,
        }
    }

    /// Floats that [`Self::forward`] needs for so many cells.
    pub(super) fn scratch(&self, cells: usize) -> usize {
        cells * self.classifier.outputs()
    }

    /// A row of features for each cell to the two blocks, each of unit length.
    pub(super) fn forward(
        &self,
        machine: &Machine,
        features: &[f32],
        logits: &mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let mut pooled = vec![0.0; FEATURES];
        mean_rows(machine.cpu, features, &mut pooled);

        let store = Output::Store(&mut *logits);
        self.classifier
            .multiply_floats(machine, features, store, Activation::None);
        // The classifier is linear: what it says of the pooled picture is the mean of what it says of the cells.
        let mut pooled_probabilities = vec![0.0; CLASSES];
        mean_rows(machine.cpu, logits, &mut pooled_probabilities);
        softmax(machine.cpu, &mut pooled_probabilities, CLASSES);
        softmax(machine.cpu, logits, CLASSES);
        let mut probabilities = vec![0.0; CLASSES];
        mean_rows(machine.cpu, logits, &mut probabilities);
        for (cells, pooled) in probabilities.iter_mut().zip(&pooled_probabilities) {
            *cells = (*cells + pooled) / 2.0;
        }

        (
            unit_product(&self.values, &probabilities, self.semantic),
            unit_product(&self.directions, &pooled, self.visual),
        )
    }
}

/// `matrix`, which has `rows` rows, times `vector`, scaled to unit length.
fn unit_product(matrix: &[f32], vector: &[f32], rows: usize) -> Vec<f32> {
    let mut product = vec![0.0; rows];
    dot::dot_rows(matrix, vector, &mut product);
    normalise(&mut product);
    product
}
