//! CLIP's towers on `lookalike-kernels`: what serves on a CPU.
//!
//! Plain functions on slices: weights are packed once when a model is loaded, intermediate results live in memory that is
//! reused from pass to pass, and threads come from the [`Machine`] alone. Several inputs are shared out among the threads;
//! a single one is split inside its products and attentions. Results are the same bits either way.
//!
//! The towers on candle beside this module are the reference that tests hold these to.

mod resnet;
mod text;
mod transformer;
mod vision;

use std::sync::{Mutex, PoisonError};

use lookalike_kernels::{Activation, LayerNorm, Linear, Machine, Output, Packer, Scratch};

use self::resnet::Resnet;
use self::text::Text;
use self::transformer::{Operands, Reader};
use self::vision::Vision;
use super::Towers;
use super::config::{Config, ImageTower};
use super::preprocessor::Preprocessor;
use crate::device::Backend;
use crate::error::{EmbedError, LoadError};
use crate::idle::Idle;
use crate::weights::TensorFile;

/// Pictures, and tokens of texts, that go through a tower together, at most: more fall out of the caches.
const MAX_IMAGES: usize = 8;
const MAX_TOKENS: usize = 512;

/// Both towers.
pub(super) struct CpuTowers {
    vision: Image,
    text: Text,
    /// Memory of passes that are over.
    idle: Idle<Pass>,
}

/// The memory of one pass.
#[derive(Default)]
struct Pass {
    operands: Operands,
    scratch: Scratch,
}

/// The image tower.
enum Image {
    Vit(Box<Vision>),
    Resnet(Box<Resnet>),
}

impl Image {
    fn forward(&self, machine: &Machine, pass: &mut Pass, pictures: &[&[u8]]) -> Vec<Vec<f32>> {
        match self {
            Self::Vit(tower) => tower.forward(machine, pass, pictures),
            Self::Resnet(tower) => tower.forward(machine, pass, pictures),
        }
    }
}

impl CpuTowers {
    /// Reads and packs the weights.
    ///
    /// # Errors
    /// [`LoadError`] for a tensor that is missing or of another shape.
    pub(super) fn read(
        file: &mut TensorFile,
        config: &Config,
        preprocessor: &Preprocessor,
        backend: &Backend,
    ) -> Result<Self, LoadError> {
        let mut packer = Packer::new(backend.cpu);
        let mut reader = Reader {
            file,
            packer: &mut packer,
            precision: backend.precision,
        };
        let dimension = config.projection_dim;
        let vision = match &config.vision {
            ImageTower::Vit(vision) => {
                let vision = Vision::read(&mut reader, (vision, dimension), preprocessor)?;
                Image::Vit(Box::new(vision))
            }
            ImageTower::Resnet(resnet) => {
                let resnet = Resnet::read(&mut reader, (resnet, dimension), preprocessor)?;
                Image::Resnet(Box::new(resnet))
            }
        };
        let text = Text::read(&mut reader, config)?;
        Ok(Self {
            vision,
            text,
            idle: Idle::default(),
        })
    }

    /// Cuts `inputs` into batches, as many for each thread and none of more than `most`
    /// (by `weight`) unless a single input is; what does not go round evenly is done by all
    /// threads together, one batch after the other.
    fn share<T: Copy + Sync>(
        &self,
        machine: &Machine,
        inputs: &[T],
        (most, weight): (usize, impl Fn(T) -> usize),
        run: impl Fn(&mut Pass, &[T]) -> Vec<Vec<f32>> + Sync,
    ) -> Vec<Vec<f32>> {
        let threads = machine.pool.threads();
        let even = inputs.len() / threads * threads;
        let (even, odd) = inputs.split_at(if threads > 1 { even } else { 0 });

        let mut batches = Vec::new();
        for share in even.chunks((even.len() / threads).max(1)) {
            batches.extend(cut(share, most, &weight));
        }
        let answers: Vec<Mutex<Vec<Vec<f32>>>> = batches.iter().map(|_| Mutex::default()).collect();
        machine.pool.run(batches.len(), |i| {
            let vectors = self.idle.with(|pass| run(pass, batches[i]));
            *answers[i].lock().unwrap_or_else(PoisonError::into_inner) = vectors;
        });
        let mut vectors: Vec<Vec<f32>> = answers
            .into_iter()
            .flat_map(|answer| answer.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect();
        for batch in cut(odd, most, &weight) {
            vectors.extend(self.idle.with(|pass| run(pass, batch)));
        }
        vectors
    }
}

impl Towers for CpuTowers {
    fn images(&self, machine: &Machine, pictures: &[&[u8]]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let run =
            |pass: &mut Pass, pictures: &[&[u8]]| self.vision.forward(machine, pass, pictures);
        Ok(self.share(machine, pictures, (MAX_IMAGES, |_| 1), run))
    }

    fn texts(&self, machine: &Machine, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let run = |pass: &mut Pass, texts: &[&[u32]]| self.text.forward(machine, pass, texts);
        let weight = |ids: &[u32]| ids.len();
        Ok(self.share(machine, texts, (MAX_TOKENS, weight), run))
    }
}

/// Cuts `inputs` into runs whose weights sum up to `most` at most, or that have one input.
fn cut<T: Copy>(inputs: &[T], most: usize, weight: impl Fn(T) -> usize) -> Vec<&[T]> {
    let (mut runs, mut rest, mut end, mut sum) = (Vec::new(), inputs, 0, 0);
    while end < rest.len() {
        let next = weight(rest[end]);
        if end > 0 && sum + next > most {
            let (run, behind) = rest.split_at(end);
            runs.push(run);
            (rest, end, sum) = (behind, 0, 0);
        }
        sum += next;
        end += 1;
    }
    if !rest.is_empty() {
        runs.push(rest);
    }
    runs
}

/// Norms and projects each row of `chosen`.
fn project(
    (machine, operands): (&Machine, &mut Operands),
    (norm, projection): (&LayerNorm, &Linear),
    chosen: &[f32],
) -> Vec<Vec<f32>> {
    norm.apply_to_operand(machine, chosen, projection.layout(), &mut operands.narrow);
    let outputs = projection.outputs();
    let mut vectors = vec![0.0; chosen.len() / norm.width() * outputs];
    let to = Output::Store(&mut vectors);
    projection.multiply(machine, &operands.narrow, to, Activation::None);
    vectors.chunks_exact(outputs).map(<[f32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_in_order_and_within_their_weight() {
        let cut = |inputs: &[usize], most| -> Vec<Vec<usize>> {
            let runs = cut(inputs, most, |x| x);
            runs.into_iter().map(<[usize]>::to_vec).collect()
        };
        assert!(cut(&[], 5).is_empty());
        assert_eq!(cut(&[9], 5), [[9]]);
        assert_eq!(
            cut(&[2, 3, 1, 4, 9, 1], 5),
            [vec![2, 3], vec![1, 4], vec![9], vec![1]]
        );
    }
}
