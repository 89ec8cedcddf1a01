//! The kernels alone, on one thread: `cargo bench --bench kernels`.
//!
//! In the groups of products, elements are operations: a multiplication and an
//! addition count as two.

#![allow(clippy::expect_used)]

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use multivec_kernels::{
    Activation, Activations, Attention, Batch, Bias, BiasForm, Bound, Embedding, Function,
    HeadNorm, HeadNorms, L2Normalize, Layer, LayerNorm, Linear, Precision, Rows, ScaleAxis, Serial,
    Sight, TableQuantization, WeightType, Weights,
};

#[derive(Clone, Copy)]
struct LinearShape {
    inner: usize,
    outer: usize,
    activation: Activation,
}

const fn linear(inner: usize, outer: usize, activation: Activation) -> LinearShape {
    LinearShape {
        inner,
        outer,
        activation,
    }
}

/// Numbers of rows and layers, as in the demo model and the large one.
const LAYERS: [(usize, LinearShape); 7] = [
    (24, linear(384, 1536, Activation::Each(Function::Gelu))),
    (2400, linear(384, 1152, Activation::NONE)),
    (2400, linear(384, 1536, Activation::Each(Function::Gelu))),
    (2400, linear(1536, 384, Activation::NONE)),
    (24, linear(768, 2304, Activation::NONE)),
    (2400, linear(768, 2304, Activation::Gated(Function::Gelu))),
    (2400, linear(1152, 768, Activation::NONE)),
];

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 37) as u8).collect()
}

fn integers<'a>(bytes: &'a [u8], scales: &'a [f32]) -> Weights<'a> {
    Weights::Integers {
        bytes,
        weight_type: WeightType::Int8,
        scales,
        zero_points: &[],
    }
}

fn pack(weights: Weights<'_>, shape: LinearShape) -> Linear {
    let layer = Layer {
        weights,
        inner: shape.inner,
        outer: shape.outer,
        smoothing: &[],
        bias: &[],
        activation: shape.activation,
    };
    layer.pack().expect("the sizes fit")
}

fn layers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear");
    for (rows, shape) in LAYERS {
        let LinearShape { inner, outer, .. } = shape;
        let bytes = bytes(inner * outer);
        let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) - 128.).collect();
        let input: Vec<f32> = (0..rows * inner).map(|at| (at as f32).sin()).collect();
        let scales = vec![1e-3; outer];
        group.throughput(Throughput::Elements(2 * (rows * inner * outer) as u64));
        let integers = integers(&bytes, &scales);
        for (name, weights) in [("int8", integers), ("fp32", Weights::Floats(&floats))] {
            let layer = pack(weights, shape);
            let mut out = vec![0.; rows * layer.outer()];
            group.bench_function(format!("{name}/{rows}x{inner}x{outer}"), |bench| {
                let rows = Activations::by_row(&input);
                bench.iter(|| layer.run(black_box(rows), None, &mut out, &Serial));
            });
        }
    }
    group.finish();
}

/// All layers of the demo model, one after the other, so that weights are in the
/// same caches as when a model runs.
fn model(criterion: &mut Criterion) {
    const ROWS: usize = 312;
    let shapes = [
        linear(384, 1152, Activation::NONE),
        linear(384, 384, Activation::NONE),
        linear(384, 1536, Activation::Each(Function::Gelu)),
        linear(1536, 384, Activation::NONE),
    ];
    let mut group = criterion.benchmark_group("model");
    for depth in [1, 6] {
        let layers: Vec<Linear> = (0..depth)
            .flat_map(|_| shapes)
            .map(|shape| {
                let bytes = bytes(shape.inner * shape.outer);
                pack(integers(&bytes, &vec![1e-3; shape.outer]), shape)
            })
            .collect();
        let input: Vec<f32> = (0..ROWS * 1536).map(|at| (at as f32).sin()).collect();
        let mut out = vec![0.; ROWS * 1536];
        let operations = layers
            .iter()
            .map(|layer| 2 * ROWS * layer.inner() * layer.outer());
        group.throughput(Throughput::Elements(operations.sum::<usize>() as u64));
        group.bench_function(format!("{depth} layers"), |bench| {
            bench.iter(|| {
                for layer in &layers {
                    let rows = Activations::by_row(&input[..ROWS * layer.inner()]);
                    let out = &mut out[..ROWS * layer.outer()];
                    layer.run(black_box(rows), None, out, &Serial);
                }
            });
        });
    }
    group.finish();
}

#[derive(Clone, Copy)]
struct AttentionShape {
    texts: usize,
    length: usize,
    columns: usize,
    key_heads: usize,
    sight: Sight,
    extra: Extra,
}

/// What is computed besides both products and the softmax.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Extra {
    Nothing,
    /// Norms of the heads of queries and keys.
    Norms,
    /// A bias by relative position.
    Bias,
}

const HEADS: usize = 12;

impl AttentionShape {
    const fn one_text(length: usize, columns: usize) -> Self {
        Self {
            texts: 1,
            length,
            columns,
            key_heads: HEADS,
            sight: Sight {
                before: None,
                after: None,
            },
            extra: Extra::Nothing,
        }
    }

    const fn windowed(length: usize, columns: usize) -> Self {
        Self {
            sight: Sight {
                before: Some(64),
                after: Some(64),
            },
            ..Self::one_text(length, columns)
        }
    }

    fn name(self, precision: Precision) -> String {
        let Self {
            texts,
            length,
            columns,
            key_heads,
            sight: Sight { before, after },
            extra,
        } = self;
        let mut name = format!("{texts}x{length}x{HEADS}x{columns}");
        if key_heads < HEADS {
            name += &format!(", {key_heads} heads of keys");
        }
        if let Some(after) = after {
            name += &format!(", {before:?} before, {after} after");
        }
        if extra != Extra::Nothing {
            name += &format!(", {extra:?}");
        }
        format!("{name}, {precision:?}")
    }

    /// Runs on queries, keys and values that are side by side, as after a packed
    /// layer. Operations are counted as if all tokens saw each other.
    fn bench(self, group: &mut BenchmarkGroup<'_, WallTime>, precision: Precision) {
        let Self {
            texts,
            length,
            columns,
            key_heads,
            sight,
            extra,
        } = self;
        let width = HEADS * columns;
        let stride = width + 2 * key_heads * columns;
        let data: Vec<f32> = (0..texts * length * stride)
            .map(|at| (at as f32).sin())
            .collect();
        let rows = |offset: usize| Rows {
            data: &data,
            stride,
            offset,
        };
        let scale = vec![0.5; columns];
        let norm = (extra == Extra::Norms).then_some(HeadNorm {
            scale: &scale,
            epsilon: 1e-6,
        });
        let values = vec![0.5; HEADS * (2 * length - 1)];
        let bias = Bias {
            values: &values,
            heads: HEADS,
            form: BiasForm::Relative,
        };
        let batch = Batch {
            length,
            queries: rows(0),
            keys: rows(width),
            values: rows(width + key_heads * columns),
            mask: None,
            norms: HeadNorms {
                queries: norm,
                keys: norm,
            },
            rotation: None,
            bias: (extra == Extra::Bias).then_some(bias),
            precision,
        };
        let attention = Attention {
            heads: HEADS,
            key_heads,
            columns,
            scale: 0.125,
            sight,
            softcap: None,
            fill: f32::NEG_INFINITY,
        };
        let mut out = vec![0.; texts * length * width];
        group.throughput(Throughput::Elements(
            4 * (texts * length * length * width) as u64,
        ));
        group.bench_function(self.name(precision), |bench| {
            bench.iter(|| attention.run(black_box(&batch), &mut out, &Serial));
        });
    }
}

fn attention(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention");
    for shape in [
        AttentionShape {
            texts: 13,
            ..AttentionShape::one_text(24, 32)
        },
        AttentionShape::one_text(300, 32),
        AttentionShape::one_text(300, 64),
        AttentionShape::windowed(300, 64),
        AttentionShape {
            key_heads: HEADS / 3,
            sight: Sight {
                before: None,
                after: Some(0),
            },
            extra: Extra::Norms,
            ..AttentionShape::one_text(300, 64)
        },
        AttentionShape {
            extra: Extra::Bias,
            ..AttentionShape::one_text(300, 64)
        },
    ] {
        for precision in [Precision::Fp32, Precision::Int8] {
            shape.bench(&mut group, precision);
        }
    }
    group.finish();
}

/// What `attention/one_block.rs` takes, and a text that is too long for it. To see
/// what it gains, run this again with `is_one_block` in `attention/integers.rs`
/// set to `false`.
fn one_block(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one block");
    for length in [24, 32, 160, 192] {
        let shape = AttentionShape {
            texts: (320 / length).max(1),
            ..AttentionShape::one_text(length, 32)
        };
        shape.bench(&mut group, Precision::Int8);
    }
    AttentionShape::windowed(300, 64).bench(&mut group, Precision::Int8);
    group.finish();
}

/// Embedding lookup and normalization of rows, in the sizes of the demo model.
fn rows(criterion: &mut Criterion) {
    const TABLE: [usize; 2] = [30_524, 384];
    const DIM: usize = 128;
    let mut group = criterion.benchmark_group("rows");
    for count in [24, 2400] {
        let ids: Vec<i64> = (0..count).map(|at| (at * 7919) % TABLE[0] as i64).collect();
        let quantization = TableQuantization {
            weight_type: WeightType::Int8,
            axis: ScaleAxis::Rows,
            scales: vec![1e-3; TABLE[0]],
            zero_points: Vec::new(),
        };
        for (name, size, quantization) in [("int8", 1, Some(quantization)), ("fp32", 4, None)] {
            let bytes = vec![1; size * TABLE[0] * TABLE[1]];
            let table = Embedding::new(bytes.into(), TABLE, quantization).expect("the sizes fit");
            let mut out = vec![0.; ids.len() * TABLE[1]];
            group.throughput(Throughput::Elements(out.len() as u64));
            group.bench_function(format!("embedding, {name}/{count}"), |bench| {
                bench.iter(|| table.run(black_box(&ids), &mut out, &Serial));
            });
        }
        let normalize = L2Normalize {
            bound: Bound::Max,
            epsilon: 1e-12,
        };
        let input: Vec<f32> = (0..ids.len() * DIM).map(|at| (at as f32).sin()).collect();
        let mut out = vec![0.; input.len()];
        group.throughput(Throughput::Elements(out.len() as u64));
        group.bench_function(format!("L2 normalization/{count}"), |bench| {
            bench.iter(|| normalize.run(black_box(&input), DIM, &mut out, &Serial));
        });
        let weights = vec![0.5; TABLE[1]];
        let normalize = LayerNorm {
            epsilon: 1e-12,
            scale: &weights,
            bias: Some(&weights),
        };
        let input: Vec<f32> = (0..ids.len() * TABLE[1])
            .map(|at| (at as f32).sin())
            .collect();
        let mut out = vec![0.; input.len()];
        group.throughput(Throughput::Elements(out.len() as u64));
        group.bench_function(format!("layer normalization/{count}"), |bench| {
            bench.iter(|| normalize.run(black_box(&input), &mut out, &Serial));
        });
    }
    group.finish();
}

criterion_group!(benches, model, layers, attention, one_block, rows);
criterion_main!(benches);
