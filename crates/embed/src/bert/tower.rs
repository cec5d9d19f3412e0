//! The layers of BERT (Devlin et al., 2019) on `lookalike-kernels`: each norm comes behind the sum, every token sees every other
//! one of its text, and texts lie back to back without padding.

use lookalike_kernels::{
    Activation, Attention, LayerNorm, Linear, Machine, Numbers, Operand, Output, Packer, Precision,
    Scratch, Shape, Span, Tokens,
};

use super::config::{Config, Pooling};
use crate::error::LoadError;
use crate::weights::TensorFile;

/// The memory of a pass.
#[derive(Debug, Default)]
pub(super) struct Pass {
    narrow: Operand,
    wide: Operand,
    scratch: Scratch,
}

/// See the module.
pub(super) struct Tower {
    hidden: usize,
    heads: usize,
    first_position: usize,
    pooling: Pooling,
    /// A row for each token of the vocabulary.
    tokens: Vec<f32>,
    /// A row for each place, with the row of the only segment that a text has added.
    positions: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    query_key_value: Linear,
    out: Linear,
    attention_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    output_norm: LayerNorm,
}

/// Reads and packs what the tower is made of.
struct Reader<'a> {
    file: &'a mut TensorFile,
    packer: Packer,
    precision: Precision,
    /// What stands before the names: checkpoints of whole models have the model's own name there.
    prefix: String,
    config: &'a Config,
}

/// The names that stand before those of `BertModel`, the usual one first.
const PREFIXES: [&str; 4] = ["", "bert.", "roberta.", "0.auto_model."];
const WORDS: &str = "embeddings.word_embeddings.weight";

impl Tower {
    /// # Errors
    /// [`LoadError`] for a tensor that is missing or of another shape.
    pub(super) fn read(
        file: &mut TensorFile,
        (config, pooling): (&Config, Pooling),
        (packer, precision): (Packer, Precision),
    ) -> Result<Self, LoadError> {
        let prefix = PREFIXES
            .into_iter()
            .find(|prefix| file.contains(&format!("{prefix}{WORDS}")))
            .unwrap_or_default()
            .to_owned();
        let mut reader = Reader {
            file,
            packer,
            precision,
            prefix,
            config,
        };
        let hidden = config.hidden_size;
        let tokens = reader.floats(WORDS, &[config.vocab_size, hidden])?;
        let mut positions = reader.floats(
            "embeddings.position_embeddings.weight",
            &[config.max_position_embeddings, hidden],
        )?;
        let segments = reader.floats(
            "embeddings.token_type_embeddings.weight",
            &[config.type_vocab_size, hidden],
        )?;
        for position in positions.chunks_exact_mut(hidden) {
            for (to, segment) in position.iter_mut().zip(&segments) {
                *to += segment;
            }
        }
        let norm = reader.norm("embeddings.LayerNorm")?;
        let layers = (0..config.num_hidden_layers)
            .map(|i| reader.layer(i))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            hidden,
            heads: config.num_attention_heads,
            first_position: config.first_position(),
            pooling,
            tokens,
            positions,
            norm,
            layers,
        })
    }

    /// One vector a text, not normalised; each text has a token at least.
    pub(super) fn forward(
        &self,
        machine: &Machine,
        pass: &mut Pass,
        texts: &[&[u32]],
    ) -> Vec<Vec<f32>> {
        let hidden = self.hidden;
        let Pass {
            narrow,
            wide,
            scratch,
        } = pass;
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let total: usize = lengths.iter().sum();
        let [x, sums, mixed] = scratch.slices([total * hidden, total * hidden, total * 3 * hidden]);

        let places = texts.iter().flat_map(|ids| {
            let positions = self.positions.chunks_exact(hidden);
            ids.iter().zip(positions.skip(self.first_position))
        });
        for (to, (id, position)) in sums.chunks_exact_mut(hidden).zip(places) {
            let token = &self.tokens[*id as usize * hidden..][..hidden];
            for ((to, token), position) in to.iter_mut().zip(token).zip(position) {
                *to = token + position;
            }
        }
        self.norm.apply(machine, sums, x);

        let spans = Span::whole(lengths.iter().copied());
        for layer in &self.layers {
            narrow.assign(machine, layer.query_key_value.layout(), x, hidden);
            let three = Output::Store(&mut *mixed);
            layer
                .query_key_value
                .multiply(machine, narrow, three, Activation::None);
            let part = |i: usize| Tokens {
                rows: &*mixed,
                stride: 3 * hidden,
                first: i * hidden,
            };
            let attention = Attention {
                heads: self.heads,
                width: hidden / self.heads,
                queries: part(0),
                keys: part(1),
                values: part(2),
                spans: &spans,
                causal: false,
                numbers: Numbers::fastest(machine.cpu, layer.out.precision()),
            };
            attention.apply_to_operand(machine, layer.out.layout(), narrow);
            sums.copy_from_slice(x);
            let sum = Output::Add(&mut *sums);
            layer.out.multiply(machine, narrow, sum, Activation::None);
            layer.attention_norm.apply(machine, sums, x);

            narrow.assign(machine, layer.widen.layout(), x, hidden);
            let middle = Output::Operand(wide, layer.narrow.layout().into());
            layer
                .widen
                .multiply(machine, narrow, middle, Activation::Gelu);
            sums.copy_from_slice(x);
            let sum = Output::Add(&mut *sums);
            layer.narrow.multiply(machine, wide, sum, Activation::None);
            layer.output_norm.apply(machine, sums, x);
        }

        let mut rest = &*x;
        lengths
            .iter()
            .map(|length| {
                let (rows, behind) = rest.split_at(length * hidden);
                rest = behind;
                self.pool(rows)
            })
            .collect()
    }

    fn pool(&self, rows: &[f32]) -> Vec<f32> {
        let mut pooled = rows[..self.hidden].to_vec();
        if self.pooling == Pooling::Mean {
            for row in rows.chunks_exact(self.hidden).skip(1) {
                for (sum, x) in pooled.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        }
        // A sum instead of a mean: the length does not matter, it is normalised next.
        pooled
    }
}

impl Reader<'_> {
    fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.file.read(&format!("{}{name}", self.prefix), shape)
    }

    fn norm(&mut self, name: &str) -> Result<LayerNorm, LoadError> {
        let shape = [self.config.hidden_size];
        let gain = self.floats(&format!("{name}.weight"), &shape)?;
        let bias = self.floats(&format!("{name}.bias"), &shape)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an epsilon needs no more than six digits"
        )]
        Ok(LayerNorm::new(
            gain,
            bias,
            self.config.layer_norm_eps as f32,
        ))
    }

    /// Layers side by side that read the same input: one product instead of several.
    fn joined(
        &mut self,
        names: &[String],
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear, LoadError> {
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weights.append(&mut self.floats(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.append(&mut self.floats(&format!("{name}.bias"), &[outputs])?);
        }
        let shape = Shape::new(bias.len(), inputs);
        Ok(self
            .packer
            .linear(self.precision, shape, &weights, Some(&bias)))
    }

    fn layer(&mut self, i: usize) -> Result<Layer, LoadError> {
        let (hidden, wide) = (self.config.hidden_size, self.config.intermediate_size);
        let part = |part: &str| format!("encoder.layer.{i}.{part}");
        let three = [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
        ]
        .map(part);
        Ok(Layer {
            query_key_value: self.joined(&three, hidden, hidden)?,
            out: self.joined(&[part("attention.output.dense")], hidden, hidden)?,
            attention_norm: self.norm(&part("attention.output.LayerNorm"))?,
            widen: self.joined(&[part("intermediate.dense")], hidden, wide)?,
            narrow: self.joined(&[part("output.dense")], wide, hidden)?,
            output_norm: self.norm(&part("output.LayerNorm"))?,
        })
    }
}
