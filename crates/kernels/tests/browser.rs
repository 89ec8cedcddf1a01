//! 8-bit linear layers and scores of bits on a browser's kernels, exact to the last
//! bit.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::expect_used)]

use multivec_kernels::{
    Activation, Activations, DocumentRows, Documents, Layer, Linear, MaxSim, QueryFormat,
    RowFormat, Serial, WeightType, Weights,
};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// The largest quantized activation: of 8 bits, except with relaxed SIMD, whose
/// products are only defined for 7 bits, if the engine does not support 8.
fn largest() -> i32 {
    #[cfg(target_feature = "relaxed-simd")]
    {
        use std::arch::wasm32::*;

        let factors = std::hint::black_box((i8x16_splat(127), u8x16_splat(255)));
        let sum = i32x4_relaxed_dot_i8x16_i7x16_add(factors.0, factors.1, i32x4_splat(0));
        if i32x4_extract_lane::<0>(sum) != 4 * 127 * 255 {
            return 127;
        }
    }
    255
}

/// Pseudo-random integers, from Knuth's linear congruential generator.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: i32) -> i32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) % below as u64) as i32
    }
}

/// Rows that are quantized exactly, with a scale of 1: two of four values are the
/// smallest and the largest, so that every block of a row has the same range.
fn rows(numbers: &mut Numbers, count: usize, zero_point: i32) -> Vec<i32> {
    let largest = largest();
    let quantized = |at: usize, numbers: &mut Numbers| match at % 4 {
        1 => 0,
        2 => largest,
        _ => numbers.next(largest + 1),
    };
    (0..count)
        .map(|at| quantized(at, numbers) - zero_point)
        .collect()
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    rows: usize,
    inner: usize,
    outer: usize,
}

const fn shape(rows: usize, inner: usize, outer: usize) -> Shape {
    Shape { rows, inner, outer }
}

fn pack(weights: &[i32], shape: Shape) -> Linear {
    let bytes: Vec<u8> = weights.iter().map(|&weight| weight as u8).collect();
    let layer = Layer {
        weights: Weights::Integers {
            bytes: &bytes,
            weight_type: WeightType::Int8,
            scales: &[1.],
            zero_points: &[],
        },
        inner: shape.inner,
        outer: shape.outer,
        smoothing: &[],
        bias: &[],
        activation: Activation::NONE,
    };
    layer.pack().expect("sizes fit")
}

fn check(shape: Shape, zero_point: i32, mut weight: impl FnMut() -> i32) {
    let Shape { inner, outer, .. } = shape;
    let rows = rows(&mut Numbers(7), shape.rows * inner, zero_point);
    let weights: Vec<i32> = (0..inner * outer).map(|_| weight()).collect();
    let linear = pack(&weights, shape);
    let floats: Vec<f32> = rows.iter().map(|&value| value as f32).collect();
    let mut out = vec![f32::NAN; shape.rows * outer];
    linear.run(Activations::by_row(&floats), None, &mut out, &Serial);
    for (row, out) in rows.chunks(inner).zip(out.chunks(outer)) {
        for (column, &found) in out.iter().enumerate() {
            let terms = row.iter().enumerate();
            let expected: i32 = terms
                .map(|(at, value)| value * weights[at * outer + column])
                .sum();
            assert_eq!(
                found, expected as f32,
                "{shape:?}, zero point {zero_point}, column {column}"
            );
        }
    }
}

/// Whole and partial tiles, with an even and an odd number of groups.
const SHAPES: [Shape; 5] = [
    shape(1, 8, 3),
    shape(2, 64, 16),
    shape(3, 136, 40),
    shape(5, 392, 33),
    shape(9, 768, 48),
];

/// A weight as in most models: bell-shaped, with a few large ones.
fn bell_shaped(numbers: &mut Numbers) -> i32 {
    match numbers.next(300) {
        0 => 127,
        1 => -127,
        _ => {
            let sum: i32 = (0..4).map(|_| numbers.next(151) - 75).sum();
            sum.clamp(-127, 127) / 2
        }
    }
}

#[wasm_bindgen_test]
fn bell_shaped_weights() {
    for shape in SHAPES {
        for zero_point in [0, 50, largest()] {
            let mut numbers = Numbers(11);
            check(shape, zero_point, || bell_shaped(&mut numbers));
        }
    }
}

#[wasm_bindgen_test]
fn weights_that_are_all_extreme() {
    for shape in SHAPES {
        for (zero_point, weight) in [(0, 127), (largest(), -127), (64, -128)] {
            check(shape, zero_point, || weight);
        }
    }
}

#[wasm_bindgen_test]
fn weights_that_are_extreme_in_places() {
    for shape in SHAPES {
        let mut at = 0;
        // Eight adjacent rows of 64, in one column.
        check(shape, 30, || {
            at += 1;
            let (row, column) = ((at - 1) / shape.outer, (at - 1) % shape.outer);
            let is_extreme = column == 1 && row % 64 < 8;
            if is_extreme {
                127 - (row % 2) as i32
            } else {
                (at % 7) as i32 - 3
            }
        });
    }
}

/// Documents of so many rows: sums of the first are looked up, there are too few of
/// the others.
const LENGTHS: [&[usize]; 2] = [&[300, 1, 33, 0, 64], &[3, 1]];

#[wasm_bindgen_test]
fn scores_of_bits() {
    // Their roots are exact, so that scores are.
    for columns in [64, 256] {
        for (lengths, extreme) in LENGTHS.into_iter().flat_map(|of| [(of, false), (of, true)]) {
            let mut numbers = Numbers(13);
            // The largest is 127, for a scale of 1.
            let query: Vec<i32> = (0..5 * columns)
                .map(|at| match at % columns {
                    0 => 127,
                    _ if extreme => 127 * (numbers.next(2) * 2 - 1),
                    _ => numbers.next(255) - 127,
                })
                .collect();
            let rows: usize = lengths.iter().sum();
            let bytes: Vec<u8> = (0..rows * columns / 8)
                .map(|_| numbers.next(256) as u8)
                .collect();
            let mut end = 0;
            let ends: Vec<usize> = lengths
                .iter()
                .map(|length| {
                    end += length;
                    end
                })
                .collect();
            let floats: Vec<f32> = query.iter().map(|&value| value as f32).collect();
            let documents = Documents {
                rows: DocumentRows {
                    format: RowFormat::Bits,
                    bytes: &bytes,
                    scales: &[],
                },
                ends: &ends,
            };
            let mut found = vec![f32::NAN; lengths.len()];
            let packed = MaxSim::new(&[&floats], columns, QueryFormat::Integers);
            packed.scores(documents, &mut found, &Serial);
            for (document, found) in found.into_iter().enumerate() {
                let rows = &bytes[(ends[document] - lengths[document]) * columns / 8..]
                    [..lengths[document] * columns / 8];
                let product = |query: &[i32], row: &[u8]| -> i32 {
                    let sign = |at: usize| 2 * i32::from(row[at / 8] >> (at % 8) & 1) - 1;
                    let pairs = query.iter().enumerate();
                    pairs.map(|(at, value)| value * sign(at)).sum()
                };
                let best = |query: &[i32]| {
                    let products = rows.chunks(columns / 8).map(|row| product(query, row));
                    products.max().unwrap_or(0)
                };
                let expected: i32 = query.chunks(columns).map(best).sum();
                let expected = expected as f32 / (columns as f32).sqrt();
                assert_eq!(found, expected, "{columns} columns, document {document}");
            }
        }
    }
}

/// Compares weights that need few overflow corrections with weights that need too
/// many, so that the exact product is taken. They only differ with relaxed SIMD,
/// on x86 without AVX-VNNI. To run it, set the variables that `cargo xtask
/// test-web` sets, and add `-- --ignored` to its command.
#[wasm_bindgen_test]
#[ignore = "a benchmark, which prints times"]
fn bench_overflow_corrections() {
    let shape = shape(312, 384, 1536);
    let input = rows(&mut Numbers(7), shape.rows * shape.inner, 64);
    let input: Vec<f32> = input.iter().map(|&value| value as f32).collect();
    let count = shape.inner * shape.outer;
    let mut numbers = Numbers(11);
    let few: Vec<i32> = (0..count).map(|_| bell_shaped(&mut numbers)).collect();
    let layers = [
        ("few", pack(&few, shape)),
        ("too many", pack(&vec![127; count], shape)),
    ];
    let mut out = vec![0.; shape.rows * shape.outer];
    // Alternating, so that both meet the same load of the machine.
    for _ in 0..5 {
        for (corrections, layer) in &layers {
            let start = js_sys::Date::now();
            for _ in 0..20 {
                layer.run(Activations::by_row(&input), None, &mut out, &Serial);
            }
            let time = (js_sys::Date::now() - start) / 20.;
            console_log!("{corrections} overflow corrections: {time} ms");
        }
    }
}
