//! The layers of both towers, over sequences that lie back to back.
//!
//! Only one token of each sequence is wanted in the end (the class token of a picture, the last one of a text), so
//! the last layer computes keys and values for all tokens and everything else for the wanted ones: the same result for a
//! fifteenth less work.

use lookalike_kernels::{
    Activation, Attention, LayerNorm, Linear, Machine, Numbers, Operand, Output, Packer, Precision,
    Shape, Span, Tokens,
};

use crate::clip::config;
use crate::error::LoadError;
use crate::weights::TensorFile;

/// Sizes of a tower's layers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) hidden: usize,
    pub(super) intermediate: usize,
    pub(super) heads: usize,
    pub(super) layers: usize,
    pub(super) activation: config::Activation,
    pub(super) epsilon: f64,
    /// Whether a token sees only itself and what is before it.
    pub(super) causal: bool,
}

/// Reads and packs what a tower is made of.
pub(super) struct Reader<'a> {
    pub(super) file: &'a mut TensorFile,
    pub(super) packer: &'a mut Packer,
    pub(super) precision: Precision,
}

impl Reader<'_> {
    pub(super) fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.file.read(name, shape)
    }

    pub(super) fn norm(&mut self, name: &str, sizes: Sizes) -> Result<LayerNorm, LoadError> {
        let gain = self.floats(&format!("{name}.weight"), &[sizes.hidden])?;
        let bias = self.floats(&format!("{name}.bias"), &[sizes.hidden])?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an epsilon needs no more than six digits"
        )]
        Ok(LayerNorm::new(gain, bias, sizes.epsilon as f32))
    }

    /// Layers side by side that read the same input: one product instead of several.
    pub(super) fn joined(
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

    fn linear(&mut self, name: String, inputs: usize, outputs: usize) -> Result<Linear, LoadError> {
        self.joined(&[name], inputs, outputs)
    }

    pub(super) fn linear_without_bias(
        &mut self,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear, LoadError> {
        let weights = self.floats(name, &[outputs, inputs])?;
        let shape = Shape::new(outputs, inputs);
        Ok(self.packer.linear(self.precision, shape, &weights, None))
    }
}

/// Inputs of the products, reused from layer to layer and from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Operands {
    pub(super) narrow: Operand,
    wide: Operand,
}

impl Operands {
    /// Both, for a tower whose layers are of one kind only.
    pub(super) fn both(&mut self) -> [&mut Operand; 2] {
        [&mut self.narrow, &mut self.wide]
    }
}

/// Intermediate results of a pass, whose lengths [`Transformer::lengths`] says.
pub(super) struct Buffers<'a> {
    /// A row for each token.
    pub(super) tokens: &'a mut [f32],
    /// Query, key and value of each token.
    pub(super) mixed: &'a mut [f32],
    /// A row for each sequence, and its query.
    pub(super) chosen: &'a mut [f32],
    pub(super) queries: &'a mut [f32],
}

/// The layers of a tower.
pub(super) struct Transformer {
    sizes: Sizes,
    layers: Vec<Layer>,
    last: Option<LastLayer>,
}

struct Layer {
    norm: LayerNorm,
    query_key_value: Linear,
    out: Linear,
    mlp: Mlp,
}

struct LastLayer {
    norm: LayerNorm,
    query: Linear,
    key_value: Linear,
    out: Linear,
    mlp: Mlp,
}

struct Mlp {
    norm: LayerNorm,
    widen: Linear,
    activation: Activation,
    narrow: Linear,
}

impl Transformer {
    /// `tower` is `text_model` or `vision_model`.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        tower: &str,
        sizes: Sizes,
    ) -> Result<Self, LoadError> {
        let hidden = sizes.hidden;
        let mut layers = Vec::new();
        let mut last = None;
        for i in 0..sizes.layers {
            let part = |part: &str| format!("{tower}.encoder.layers.{i}.{part}");
            let norm = reader.norm(&part("layer_norm1"), sizes)?;
            let [query, key, value] =
                ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].map(part);
            let out = reader.linear(part("self_attn.out_proj"), hidden, hidden)?;
            let mlp = Mlp {
                norm: reader.norm(&part("layer_norm2"), sizes)?,
                widen: reader.linear(part("mlp.fc1"), hidden, sizes.intermediate)?,
                activation: match sizes.activation {
                    config::Activation::QuickGelu => Activation::QuickGelu,
                    config::Activation::Gelu => Activation::Gelu,
                },
                narrow: reader.linear(part("mlp.fc2"), sizes.intermediate, hidden)?,
            };
            if i + 1 < sizes.layers {
                let query_key_value = reader.joined(&[query, key, value], hidden, hidden)?;
                layers.push(Layer {
                    norm,
                    query_key_value,
                    out,
                    mlp,
                });
            } else {
                last = Some(LastLayer {
                    norm,
                    query: reader.linear(query, hidden, hidden)?,
                    key_value: reader.joined(&[key, value], hidden, hidden)?,
                    out,
                    mlp,
                });
            }
        }
        Ok(Self {
            sizes,
            layers,
            last,
        })
    }

    /// Lengths of [`Buffers`] for `sequences` sequences of `tokens` tokens in all.
    pub(super) fn lengths(&self, tokens: usize, sequences: usize) -> [usize; 4] {
        let hidden = self.sizes.hidden;
        [
            tokens * hidden,
            tokens * 3 * hidden,
            sequences * hidden,
            sequences * hidden,
        ]
    }

    /// Runs the layers over `buffers.tokens`, sequences of `lengths` tokens, and leaves the result of one token of
    /// each, at the rows `wanted`, in `buffers.chosen`. In a causal tower it must be the last of its sequence.
    pub(super) fn forward(
        &self,
        machine: &Machine,
        operands: &mut Operands,
        buffers: &mut Buffers<'_>,
        (lengths, wanted): (&[usize], &[usize]),
    ) {
        let hidden = self.sizes.hidden;
        let spans = Span::whole(lengths.iter().copied());
        for layer in &self.layers {
            layer.norm.apply_to_operand(
                machine,
                buffers.tokens,
                layer.query_key_value.layout(),
                &mut operands.narrow,
            );
            let mixed = Output::Store(buffers.mixed);
            layer
                .query_key_value
                .multiply(machine, &operands.narrow, mixed, Activation::None);
            let part = |i| Tokens {
                rows: &*buffers.mixed,
                stride: 3 * hidden,
                first: i * hidden,
            };
            let numbers = Numbers::fastest(machine.cpu, layer.out.precision());
            let attention = self.attention([part(0), part(1), part(2)], &spans, numbers);
            attention.apply_to_operand(machine, layer.out.layout(), &mut operands.narrow);
            let sum = Output::Add(buffers.tokens);
            layer
                .out
                .multiply(machine, &operands.narrow, sum, Activation::None);
            layer.mlp.forward(machine, operands, buffers.tokens);
        }
        for (to, row) in buffers.chosen.chunks_exact_mut(hidden).zip(wanted) {
            to.copy_from_slice(&buffers.tokens[row * hidden..][..hidden]);
        }
        if let Some(last) = &self.last {
            let spans = Span::single(lengths.iter().copied());
            self.finish(last, machine, operands, buffers, &spans);
        }
    }

    /// The last layer, for the chosen tokens.
    fn finish(
        &self,
        layer: &LastLayer,
        machine: &Machine,
        operands: &mut Operands,
        buffers: &mut Buffers<'_>,
        spans: &[Span],
    ) {
        let hidden = self.sizes.hidden;
        let tokens = buffers.tokens.len() / hidden;
        let layout = layer.key_value.layout();
        let both = &mut buffers.mixed[..tokens * 2 * hidden];
        layer
            .norm
            .apply_to_operand(machine, buffers.tokens, layout, &mut operands.narrow);
        let keys_values = Output::Store(&mut *both);
        layer
            .key_value
            .multiply(machine, &operands.narrow, keys_values, Activation::None);
        layer
            .norm
            .apply_to_operand(machine, buffers.chosen, layout, &mut operands.narrow);
        let queries = Output::Store(buffers.queries);
        layer
            .query
            .multiply(machine, &operands.narrow, queries, Activation::None);

        let part = |first| Tokens {
            rows: &*both,
            stride: 2 * hidden,
            first,
        };
        let queries = Tokens {
            rows: &*buffers.queries,
            stride: hidden,
            first: 0,
        };
        let numbers = Numbers::fastest(machine.cpu, layer.out.precision());
        let attention = self.attention([queries, part(0), part(hidden)], spans, numbers);
        attention.apply_to_operand(machine, layer.out.layout(), &mut operands.narrow);
        let sum = Output::Add(buffers.chosen);
        layer
            .out
            .multiply(machine, &operands.narrow, sum, Activation::None);
        layer.mlp.forward(machine, operands, buffers.chosen);
    }

    fn attention<'a>(
        &self,
        [queries, keys, values]: [Tokens<'a>; 3],
        spans: &'a [Span],
        numbers: Numbers,
    ) -> Attention<'a> {
        Attention {
            heads: self.sizes.heads,
            width: self.sizes.hidden / self.sizes.heads,
            queries,
            keys,
            values,
            spans,
            causal: self.sizes.causal,
            numbers,
        }
    }
}

impl Mlp {
    /// Adds to each row of `x` what the two layers make of it.
    fn forward(&self, machine: &Machine, operands: &mut Operands, x: &mut [f32]) {
        let Operands { narrow, wide } = operands;
        self.norm
            .apply_to_operand(machine, x, self.widen.layout(), narrow);
        let middle = Output::Operand(wide, self.narrow.layout().into());
        self.widen
            .multiply(machine, narrow, middle, self.activation);
        self.narrow
            .multiply(machine, wide, Output::Add(x), Activation::None);
    }
}
