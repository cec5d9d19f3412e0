//! Each kernel on one thread, at the shapes that CLIP's `ViT-B/32` and the built-in encoder give it.
//!
//! Throughput of products is counted in multiply-adds: twice that are operations. `lookalike-bench clip` measures whole towers.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lookalike_kernels::image::{Depthwise, Grid, Padding, Window};
use lookalike_kernels::score::{Bf16, Rows, score};
use lookalike_kernels::{
    Activation, Attention, Convolution, Form, LayerNorm, Layout, Machine, Numbers, Operand, Output,
    Packer, Precision, Shape, Span, Tokens, dispatch, softmax,
};

/// Tokens of a picture, and of a text.
const PICTURE: usize = 50;
const TEXT: usize = 77;
/// Columns of a token.
const HIDDEN: usize = 768;

fn machine() -> Machine {
    Machine::new(dispatch::cpu(), 1)
}

/// Numbers in ±½, always the same.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f32::from(u16::try_from(state >> 48).expect("16 bits")) / 65_536.0 - 0.5
        })
        .collect()
}

fn elements(count: usize) -> Throughput {
    Throughput::Elements(u64::try_from(count).expect("a small number"))
}

/// The four layers of a block: query, key and value; out; both of the MLP.
const LAYERS: [(&str, usize, usize); 4] = [
    ("qkv", 3 * HIDDEN, HIDDEN),
    ("out", HIDDEN, HIDDEN),
    ("widen", 4 * HIDDEN, HIDDEN),
    ("narrow", HIDDEN, 4 * HIDDEN),
];

fn gemm(criterion: &mut Criterion) {
    let machine = machine();
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let mut group = criterion.benchmark_group(format!("gemm_{precision}"));
        group.sample_size(20);
        for (name, outputs, inputs) in LAYERS {
            let weights = noise(outputs * inputs);
            let bias = noise(outputs);
            let shape = Shape::new(outputs, inputs);
            let layer = Packer::new(machine.cpu).linear(precision, shape, &weights, Some(&bias));
            for batch in [1, 8] {
                let rows = batch * PICTURE;
                let mut left = Operand::new();
                left.assign(&machine, layer.layout(), &noise(rows * inputs), inputs);
                let mut results = vec![0.0; rows * outputs];
                group.throughput(elements(rows * outputs * inputs));
                group.bench_function(format!("{name}_{rows}x{outputs}x{inputs}"), |bencher| {
                    bencher.iter(|| {
                        let to = Output::Store(&mut results);
                        layer.multiply(&machine, black_box(&left), to, Activation::None);
                    });
                });
            }
        }
        group.finish();
    }
}

/// The end of a product, by what it does to each result.
fn activations(criterion: &mut Criterion) {
    let machine = machine();
    let mut values = noise(PICTURE * 4 * HIDDEN);
    let mut group = criterion.benchmark_group("activation");
    group.throughput(elements(values.len()));
    for activation in [Activation::QuickGelu, Activation::Gelu, Activation::Relu] {
        group.bench_function(format!("{activation:?}"), |bencher| {
            bencher.iter(|| {
                lookalike_kernels::activation::apply(
                    machine.cpu,
                    activation,
                    black_box(&mut values),
                );
            });
        });
    }
    group.finish();
}

/// From numbers to what the products of each precision read.
fn encode(criterion: &mut Criterion) {
    let machine = machine();
    let values = noise(PICTURE * HIDDEN);
    let mut operand = Operand::new();
    let mut group = criterion.benchmark_group("encode_50x768");
    group.throughput(elements(values.len()));
    for layout in [Layout::F32, Layout::Bf16, Layout::U8, Layout::I16] {
        group.bench_function(format!("{layout:?}"), |bencher| {
            bencher.iter(|| operand.assign(&machine, layout, black_box(&values), HIDDEN));
        });
    }
    group.finish();
}

fn attention(criterion: &mut Criterion) {
    let machine = machine();
    let mut group = criterion.benchmark_group("attention");
    for (name, tokens, heads, causal) in [
        ("picture_50_tokens_12_heads", PICTURE, 12, false),
        ("text_77_tokens_8_heads", TEXT, 8, true),
        ("text_12_tokens_8_heads", 12, 8, true),
    ] {
        let width = 64;
        let columns = heads * width;
        let rows = noise(tokens * 3 * columns);
        let part = |i| Tokens {
            rows: &rows,
            stride: 3 * columns,
            first: i * columns,
        };
        let spans = Span::whole([tokens]);
        let mut results = vec![0.0; tokens * columns];
        group.throughput(elements(2 * tokens * tokens * columns));
        for numbers in [Numbers::F32, Numbers::Bf16] {
            let attention = Attention {
                heads,
                width,
                queries: part(0),
                keys: part(1),
                values: part(2),
                spans: &spans,
                causal,
                numbers,
            };
            group.bench_function(format!("{name}_{numbers:?}").to_lowercase(), |bencher| {
                bencher.iter(|| black_box(&attention).apply(&machine, &mut results));
            });
        }
    }
    group.finish();
}

fn norms(criterion: &mut Criterion) {
    let machine = machine();
    let rows = noise(PICTURE * HIDDEN);
    let norm = LayerNorm::new(noise(HIDDEN), noise(HIDDEN), 1e-5);
    let mut results = vec![0.0; rows.len()];
    let mut operand = Operand::new();
    let mut group = criterion.benchmark_group("layer_norm_50x768");
    group.throughput(elements(rows.len()));
    group.bench_function("to_f32", |bencher| {
        bencher.iter(|| norm.apply(&machine, black_box(&rows), &mut results));
    });
    for layout in [Layout::Bf16, Layout::U8] {
        group.bench_function(format!("to_operand_{layout:?}"), |bencher| {
            bencher
                .iter(|| norm.apply_to_operand(&machine, black_box(&rows), layout, &mut operand));
        });
    }
    group.finish();

    let mut scores = noise(600 * PICTURE);
    let mut group = criterion.benchmark_group("softmax");
    group.throughput(elements(scores.len()));
    group.bench_function("600x50", |bencher| {
        bencher.iter(|| softmax(machine.cpu, black_box(&mut scores), PICTURE));
    });
    group.finish();
}

/// 3 × 3 windows over pixels of a picture.
fn convolutions(criterion: &mut Criterion) {
    let machine = machine();
    let window = |stride| Window {
        size: 3,
        stride,
        padding: Padding::Each(1),
    };
    let (grid, channels) = (
        Grid {
            height: 56,
            width: 56,
        },
        64,
    );
    let pixels = noise(grid.pixels() * channels);

    let depthwise = Depthwise::new(
        &noise(channels * 9),
        &noise(channels),
        window(1),
        Activation::Relu6,
    );
    let mut results = vec![0.0; grid.pixels() * channels];
    let mut group = criterion.benchmark_group("depthwise_3x3");
    group.throughput(elements(grid.pixels() * channels * 9));
    group.bench_function("56x56x64", |bencher| {
        bencher.iter(|| depthwise.apply(&machine, black_box(&pixels), grid, &mut results));
    });
    group.finish();

    let mut group = criterion.benchmark_group("convolution_3x3_56x56x64");
    group.sample_size(20);
    group.throughput(elements(grid.pixels() * channels * channels * 9));
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let layer = Convolution::new(
            &mut Packer::new(machine.cpu),
            precision,
            (&noise(channels * channels * 9), &noise(channels)),
            window(1),
        );
        let mut left = Operand::new();
        let form = Form::groups(layer.linear().layout(), grid.pixels());
        left.assign(&machine, form, &pixels, channels);
        group.bench_function(precision.name(), |bencher| {
            bencher.iter(|| {
                let to = Output::Store(&mut results);
                layer.apply(&machine, (black_box(&left), grid), to, Activation::Relu);
            });
        });
    }
    group.finish();
}

/// One query beside vectors that fit no cache.
fn scores(criterion: &mut Criterion) {
    const ROWS: usize = 20_000;
    const WIDTH: usize = 512;
    let cpu = dispatch::cpu();
    let floats = noise(ROWS * WIDTH);
    let query = noise(WIDTH);
    let mut results = vec![0.0; ROWS];
    let mut group = criterion.benchmark_group("score_20000x512");
    group.sample_size(20);
    group.throughput(elements(ROWS * WIDTH));
    group.bench_function("f32", |bencher| {
        bencher.iter(|| score(cpu, black_box(&floats), Rows::From(0), &query, &mut results));
    });
    let nearest = |x: &f32| Bf16::nearest(*x);
    let halves: Vec<Bf16> = floats.iter().map(nearest).collect();
    let half_query: Vec<Bf16> = query.iter().map(nearest).collect();
    group.bench_function("bf16", |bencher| {
        let rows = Rows::From(0);
        bencher.iter(|| score(cpu, black_box(&halves), rows, &half_query, &mut results));
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "-64 to 64"
    )]
    let (bytes, query): (Vec<u8>, Vec<i8>) = (
        floats.iter().map(|x| (x * 127.0 + 128.0) as u8).collect(),
        query.iter().map(|x| (x * 127.0) as i8).collect(),
    );
    let mut results = vec![0; ROWS];
    group.bench_function("int8", |bencher| {
        bencher.iter(|| score(cpu, black_box(&bytes), Rows::From(0), &query, &mut results));
    });
    group.finish();
}

criterion_group!(
    benches,
    gemm,
    activations,
    encode,
    attention,
    norms,
    convolutions,
    scores
);
criterion_main!(benches);
