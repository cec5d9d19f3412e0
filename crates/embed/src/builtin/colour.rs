//! The colour block of an image vector: shares of the eleven basic colours of English.
//!
//! The picture is averaged over cells of 16 x 16 pixels; each cell is assigned softly to prototypes of the colours in an
//! opponent space. Works on the raw bytes, not on the network's normalised input.

use lookalike_kernels::{Cpu, softmax};

use super::assets::Assets;
use crate::vector::normalise;

const CELL: usize = 16;
const PROTOTYPES: usize = 28;
const COLOURS: usize = 11;

pub(super) struct Colour {
    /// Rows of the opponent space: luma, red-green, yellow-blue.
    opponent: [[f32; 3]; 3],
    prototypes: Vec<[f32; 3]>,
    /// Index of each prototype's colour.
    colours: Vec<usize>,
    tau: f32,
    dimension: usize,
}

impl Colour {
    pub(super) fn load(assets: &Assets) -> Self {
        let assign = assets.floats("image.color.assign", PROTOTYPES * COLOURS);
        let colour_of = |row: &[f32]| {
            row.iter()
                .position(|&x| x > 0.5)
                .expect("every prototype has a colour")
        };
        Self {
            opponent: triples(&assets.floats("image.color.opponent", 9))
                .try_into()
                .expect("nine values are three rows"),
            prototypes: triples(&assets.floats("image.color.prototypes", PROTOTYPES * 3)),
            colours: assign.chunks_exact(COLOURS).map(colour_of).collect(),
            tau: assets.config.color_tau,
            dimension: assets.config.color_dim,
        }
    }

    /// `rgb` is a square of `side` pixels, `side` a multiple of the cell's; the answer has unit length.
    pub(super) fn forward(&self, cpu: Cpu, rgb: &[u8], side: usize) -> Vec<f32> {
        let cells = side / CELL;
        let mut closeness = Vec::with_capacity(cells * cells * PROTOTYPES);
        for row in 0..cells {
            for column in 0..cells {
                let mean = cell_mean(rgb, side, row, column);
                let point = self.opponent.map(|axis| dot(&axis, &mean));
                let prototypes = self.prototypes.iter();
                closeness.extend(prototypes.map(|p| -distance_squared(p, &point) / self.tau));
            }
        }
        softmax(cpu, &mut closeness, PROTOTYPES);
        let mut shares = vec![0.0; self.dimension];
        for cell in closeness.chunks_exact(PROTOTYPES) {
            for (&colour, share) in self.colours.iter().zip(cell) {
                shares[colour] += share;
            }
        }
        // The number of cells cancels in the normalisation.
        for share in &mut shares {
            *share = share.sqrt();
        }
        normalise(&mut shares);
        shares
    }
}

/// Mean colour of a cell, 0 to 1.
fn cell_mean(rgb: &[u8], side: usize, row: usize, column: usize) -> [f32; 3] {
    let mut sums = [0u32; 3];
    for y in row * CELL..(row + 1) * CELL {
        for pixel in rgb[(y * side + column * CELL) * 3..][..CELL * 3].chunks_exact(3) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += u32::from(value);
            }
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "256 bytes sum up to less than 2^24"
    )]
    sums.map(|sum| sum as f32 / (255 * CELL * CELL) as f32)
}

fn triples(values: &[f32]) -> Vec<[f32; 3]> {
    values.chunks_exact(3).map(|v| [v[0], v[1], v[2]]).collect()
}

fn dot(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn distance_squared(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2)
}
