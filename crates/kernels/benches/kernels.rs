//! The kernels alone, on one thread: `cargo bench --bench kernels`. Elements
//! are operations, a multiplication and an addition each counted as one.

#![allow(clippy::expect_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use multivec_kernels::{
    Activation, Activations, Attention, Batch, Bound, Embedding, L2Normalize, Layer, Levels,
    Linear, Normalize, Products, Rows, Scaled, Serial, WeightType, Weights,
};

/// Rows, columns in and columns out, as in the demo model and the large one.
const LAYERS: [(usize, usize, usize, Activation); 7] = [
    (24, 384, 1536, Activation::Gelu),
    (2400, 384, 1152, Activation::None),
    (2400, 384, 1536, Activation::Gelu),
    (2400, 1536, 384, Activation::None),
    (24, 768, 2304, Activation::None),
    (2400, 768, 2304, Activation::GatedGelu),
    (2400, 1152, 768, Activation::None),
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

fn pack(weights: Weights<'_>, [inner, outer]: [usize; 2], activation: Activation) -> Linear {
    let layer = Layer {
        weights,
        inner,
        outer,
        smoothing: &[],
        bias: &[],
        activation,
    };
    layer.pack().expect("the sizes fit")
}

fn layers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear");
    for (rows, inner, outer, activation) in LAYERS {
        let bytes = bytes(inner * outer);
        let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) - 128.).collect();
        let input: Vec<f32> = (0..rows * inner).map(|at| (at as f32).sin()).collect();
        let scales = vec![1e-3; outer];
        let width = outer / if activation.is_gated() { 2 } else { 1 };
        let mut out = vec![0.; rows * width];
        group.throughput(Throughput::Elements(2 * (rows * inner * outer) as u64));
        let integers = integers(&bytes, &scales);
        for (name, weights) in [("int8", integers), ("fp32", Weights::Floats(&floats))] {
            let layer = pack(weights, [inner, outer], activation);
            group.bench_function(format!("{name}/{rows}x{inner}x{outer}"), |bench| {
                let rows = Activations::by_row(&input);
                bench.iter(|| layer.run(black_box(rows), None, &mut out, &Serial));
            });
        }
    }
    group.finish();
}

/// All layers of the demo model, one after the other, so that weights are in the
/// caches that they are in when a model runs.
fn model(criterion: &mut Criterion) {
    const ROWS: usize = 312;
    let shapes = [
        (384, 1152, Activation::None),
        (384, 384, Activation::None),
        (384, 1536, Activation::Gelu),
        (1536, 384, Activation::None),
    ];
    let mut group = criterion.benchmark_group("model");
    for depth in [1, 6] {
        let layers: Vec<_> = (0..depth)
            .flat_map(|_| shapes)
            .map(|(inner, outer, activation)| {
                let (bytes, scales) = (bytes(inner * outer), vec![1e-3; outer]);
                let layer = pack(integers(&bytes, &scales), [inner, outer], activation);
                (layer, inner, outer)
            })
            .collect();
        let input: Vec<f32> = (0..ROWS * 1536).map(|at| (at as f32).sin()).collect();
        let mut out = vec![0.; ROWS * 1536];
        let operations: usize = layers.iter().map(|(_, i, o)| 2 * ROWS * i * o).sum();
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function(format!("{depth} layers"), |bench| {
            bench.iter(|| {
                for (layer, inner, outer) in &layers {
                    let rows = Activations::by_row(&input[..ROWS * inner]);
                    layer.run(black_box(rows), None, &mut out[..ROWS * outer], &Serial);
                }
            });
        });
    }
    group.finish();
}

fn attention(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention");
    for (texts, length, heads, columns, window) in [
        (13, 24, 12, 32, None),
        (1, 300, 12, 32, None),
        (1, 300, 12, 64, None),
        (1, 300, 12, 64, Some(64)),
    ] {
        let width = heads * columns;
        let data: Vec<f32> = (0..texts * length * 3 * width)
            .map(|at| (at as f32).sin())
            .collect();
        let rows = |part: usize| Rows {
            data: &data,
            stride: 3 * width,
            offset: part * width,
        };
        let batch = Batch {
            length,
            queries: rows(0),
            keys: rows(1),
            values: rows(2),
            mask: None,
            rotation: None,
            products: Products::Floats,
        };
        let attention = Attention {
            heads,
            columns,
            scale: 0.125,
            window,
            fill: f32::NEG_INFINITY,
        };
        let mut out = vec![0.; texts * length * width];
        // As many as without a window.
        group.throughput(Throughput::Elements(
            4 * (texts * length * length * width) as u64,
        ));
        for products in [Products::Floats, Products::Integers] {
            let batch = Batch { products, ..batch };
            let name =
                format!("{texts}x{length}x{heads}x{columns}, window {window:?}, {products:?}");
            group.bench_function(name, |bench| {
                bench.iter(|| attention.run(black_box(&batch), &mut out, &Serial));
            });
        }
    }
    group.finish();
}

/// Rows of the demo model: looked up in a table of its size, and scaled.
fn rows(criterion: &mut Criterion) {
    const TABLE: [usize; 2] = [30_524, 384];
    const DIM: usize = 128;
    let mut group = criterion.benchmark_group("rows");
    for count in [24, 2400] {
        let ids: Vec<i64> = (0..count).map(|at| (at * 7919) % TABLE[0] as i64).collect();
        let levels = Levels {
            weight_type: WeightType::Int8,
            scaled: Scaled::Rows,
            scales: vec![1e-3; TABLE[0]],
            zero_points: Vec::new(),
        };
        for (name, size, levels) in [("int8", 1, Some(levels)), ("fp32", 4, None)] {
            let bytes = vec![1; size * TABLE[0] * TABLE[1]];
            let table = Embedding::new(bytes.into(), TABLE, levels).expect("the sizes fit");
            let mut out = vec![0.; ids.len() * TABLE[1]];
            group.throughput(Throughput::Elements(out.len() as u64));
            group.bench_function(format!("embedding, {name}/{count}"), |bench| {
                bench.iter(|| table.run(black_box(&ids), &mut out, &Serial));
            });
        }
        let scale = L2Normalize {
            bound: Bound::Max,
            epsilon: 1e-12,
        };
        let input: Vec<f32> = (0..ids.len() * DIM).map(|at| (at as f32).sin()).collect();
        let mut out = vec![0.; input.len()];
        group.throughput(Throughput::Elements(out.len() as u64));
        group.bench_function(format!("to length 1/{count}"), |bench| {
            bench.iter(|| scale.run(black_box(&input), DIM, &mut out, &Serial));
        });
        let weights = vec![0.5; TABLE[1]];
        let normalize = Normalize {
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

criterion_group!(benches, model, layers, attention, rows);
criterion_main!(benches);
