//! Text encoders of the BERT kind: a folder in the Hugging Face layout to unit vectors of texts.
//!
//! BERT, `RoBERTa` and XLM-`RoBERTa` are read, pooled as sentence-transformers does. [`crate::Models`] opens what `--model NAME=DIR`
//! names for a text model. It computes on `lookalike-kernels`, that is on the processor, whatever runs CLIP. Correct means: cosine of at least
//! 0.9999 to transformers in f32, 0.999 in bf16, tested on the checkpoints of `tests/goldens`.

mod config;
mod tokens;
mod tower;

use std::path::{Path, PathBuf};
use std::thread;

use fs_err::File;
use lookalike_kernels::{Machine, Packer, Precision};

pub(crate) use self::config::is_bert;
use self::config::{CONFIG, Config, LENGTH, POOLING, unreadable};
use self::tokens::Reader;
use self::tower::{Pass, Tower};
use crate::catalogue::ModelKind;
use crate::device::Backend;
use crate::encoder::{Encoder, EncoderInfo, TextEmbedding};
use crate::error::{EmbedError, LoadError};
use crate::fingerprint::Fingerprint;
use crate::idle::Idle;
use crate::vector::normalise;
use crate::weights::{Naming, TensorFile};

const TOKENIZER: &str = "tokenizer.json";
/// By preference.
const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// Tokens that go through the tower together, unless a single text has more: beyond, memory grows and nothing is gained.
const MAX_TOKENS: usize = 2048;

/// See the module.
pub(crate) struct Bert {
    info: EncoderInfo,
    reader: Reader,
    tower: Tower,
    /// Memory of passes that are over.
    idle: Idle<Pass>,
}

impl Bert {
    /// Reads, checks and hashes the files of a folder. Takes about a second for a gigabyte of weights.
    ///
    /// # Errors
    /// [`LoadError`], naming the file and what was expected of it.
    pub(crate) fn open(folder: &Path, backend: &Backend) -> Result<Self, LoadError> {
        let config = Config::read(folder)?;
        let pooling = config::read_pooling(folder)?;
        let length = config::read_length(folder)?;
        let longest = length.unwrap_or(usize::MAX).min(config.longest());
        let weights = find_weights(folder)?;
        let mut file = TensorFile::open(&weights, &[Naming::HuggingFace])?;
        let reader = Reader::open(&folder.join(TOKENIZER), longest, config.vocab_size)?;

        // Hashing reads the same pages as loading: side by side it costs next to nothing.
        let (fingerprint, tower) = thread::scope(|scope| {
            let hashing = scope.spawn(|| fingerprint(folder, &weights, backend.precision));
            let packing = (Packer::new(backend.cpu), backend.precision);
            let tower = Tower::read(&mut file, (&config, pooling), packing);
            (hashing.join().expect("hashing does not panic"), tower)
        });
        let name = folder.file_name().map_or_else(
            || folder.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(Self {
            info: EncoderInfo {
                name: format!("{} ({name})", config.model_type),
                fingerprint: fingerprint?,
                dimension: config.dimension(folder)?,
                precision: backend.precision,
            },
            reader,
            tower: tower?,
            idle: Idle::default(),
        })
    }
}

impl Encoder for Bert {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn kind(&self) -> ModelKind {
        ModelKind::Text
    }

    fn embed_texts(
        &self,
        machine: &Machine,
        texts: &[&str],
    ) -> Result<Vec<TextEmbedding>, EmbedError> {
        let read: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| self.reader.read(text))
            .collect::<Result<_, _>>()?;
        let ids: Vec<&[u32]> = read.iter().map(|ids| &ids[..]).collect();
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in batches(&ids) {
            vectors.extend(
                self.idle
                    .with(|pass| self.tower.forward(machine, pass, batch)),
            );
        }
        Ok(vectors
            .into_iter()
            .zip(&read)
            .map(|(mut vector, ids)| {
                normalise(&mut vector);
                let tokens = u32::try_from(ids.len()).expect("cut to the model's positions");
                TextEmbedding { vector, tokens }
            })
            .collect())
    }
}

/// Cuts texts into runs of [`MAX_TOKENS`] tokens at most, or of one text.
fn batches<'a, 'b>(mut texts: &'a [&'b [u32]]) -> Vec<&'a [&'b [u32]]> {
    let mut batches = Vec::new();
    while !texts.is_empty() {
        let mut tokens = 0;
        let fitting = texts.iter().take_while(|ids| {
            tokens += ids.len();
            tokens <= MAX_TOKENS
        });
        let (batch, behind) = texts.split_at(fitting.count().max(1));
        batches.push(batch);
        texts = behind;
    }
    batches
}

fn find_weights(folder: &Path) -> Result<PathBuf, LoadError> {
    let [preferred, other] = WEIGHTS.map(|name| folder.join(name));
    if !preferred.exists() && other.exists() {
        return Ok(other);
    }
    match File::open(&preferred) {
        Ok(_) => Ok(preferred),
        Err(source) => Err(unreadable(preferred, source)),
    }
}

/// Makes sure that a folder holds a BERT, without reading all of its weights; the dimension of its vectors.
///
/// # Errors
/// [`LoadError`], naming the file and what was expected of it.
pub(crate) fn inspect(folder: &Path) -> Result<u32, LoadError> {
    let config = Config::read(folder)?;
    config::read_pooling(folder)?;
    config::read_length(folder)?;
    TensorFile::open(&find_weights(folder)?, &[Naming::HuggingFace])?;
    Reader::open(&folder.join(TOKENIZER), config.longest(), config.vocab_size)?;
    config.dimension(folder)
}

/// The files that matter to vectors, and the class of precision unless it is f32.
fn fingerprint(folder: &Path, weights: &Path, precision: Precision) -> Result<String, LoadError> {
    let kind = match precision {
        Precision::F32 => "bert",
        Precision::Bf16 => "bert-bf16",
        Precision::Int8 => "bert-int8",
    };
    let mut fingerprint = Fingerprint::new(kind);
    let required = [
        weights.to_owned(),
        folder.join(CONFIG),
        folder.join(TOKENIZER),
    ];
    let optional = [POOLING, LENGTH].map(|name| folder.join(name));
    let present = optional.into_iter().filter(|path| path.exists());
    for path in required.into_iter().chain(present) {
        let file = File::open(&path).map_err(|source| unreadable(&path, source))?;
        let name = path.strip_prefix(folder).unwrap_or(&path);
        fingerprint
            .add(&name.to_string_lossy(), file)
            .map_err(|source| unreadable(&path, source))?;
    }
    Ok(fingerprint.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_order_and_size() {
        let (short, long) = ([1; 1000], [2; 3000]);
        let texts: Vec<&[u32]> = vec![&short, &short, &short, &long, &short];
        let lengths: Vec<Vec<usize>> = batches(&texts)
            .into_iter()
            .map(|batch| batch.iter().map(|ids| ids.len()).collect())
            .collect();
        assert_eq!(
            lengths,
            [vec![1000, 1000], vec![1000], vec![3000], vec![1000]]
        );
        assert!(batches(&[]).is_empty());
    }
}
