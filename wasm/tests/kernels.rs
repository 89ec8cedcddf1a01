//! Layers in 8 bits on the kernels of a browser, to the last bit.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::expect_used)]

use multivec_kernels::{Activation, Activations, Layer, Serial, WeightType, Weights};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// The largest level of an activation: of 8 bits, but for relaxed products that
/// are defined for 7, unless the engine takes 8.
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

/// Whole numbers that look random (Knuth's linear congruential generator).
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

/// Rows that levels hold exactly, with a scale of 1: two of four numbers are the
/// least and the largest, so that the range of any part of a row is the same.
fn rows(numbers: &mut Numbers, count: usize, zero: i32) -> Vec<i32> {
    let largest = largest();
    let level = |at: usize, numbers: &mut Numbers| match at % 4 {
        1 => 0,
        2 => largest,
        _ => numbers.next(largest + 1),
    };
    (0..count).map(|at| level(at, numbers) - zero).collect()
}

fn check(sizes: (usize, usize, usize), zero: i32, mut weight: impl FnMut() -> i32) {
    let (count, inner, outer) = sizes;
    let rows = rows(&mut Numbers(7), count * inner, zero);
    let weights: Vec<i32> = (0..inner * outer).map(|_| weight()).collect();
    let bytes: Vec<u8> = weights.iter().map(|&weight| weight as u8).collect();
    let linear = Layer {
        weights: Weights::Integers {
            bytes: &bytes,
            weight_type: WeightType::Int8,
            scales: &[1.],
            zero_points: &[],
        },
        inner,
        outer,
        smoothing: &[],
        bias: &[],
        activation: Activation::None,
    };
    let linear = linear.pack().expect("sizes fit");
    let floats: Vec<f32> = rows.iter().map(|&value| value as f32).collect();
    let mut out = vec![f32::NAN; count * outer];
    linear.run(Activations::by_row(&floats), None, &mut out, &Serial);
    for (row, out) in rows.chunks(inner).zip(out.chunks(outer)) {
        for (column, &found) in out.iter().enumerate() {
            let terms = row.iter().enumerate();
            let expected: i32 = terms
                .map(|(at, value)| value * weights[at * outer + column])
                .sum();
            assert_eq!(
                found, expected as f32,
                "{sizes:?}, zero {zero}, column {column}"
            );
        }
    }
}

/// Whole tiles and parts of them; an even and an odd number of groups.
const SIZES: [(usize, usize, usize); 5] = [
    (1, 8, 3),
    (2, 64, 16),
    (3, 136, 40),
    (5, 392, 33),
    (9, 768, 48),
];

#[wasm_bindgen_test]
fn weights_as_most_models_have_them() {
    for sizes in SIZES {
        for zero in [0, 50, largest()] {
            let mut numbers = Numbers(11);
            // Bell-shaped; now and then several large ones are beside each other.
            check(sizes, zero, || match numbers.next(300) {
                0 => 127,
                1 => -127,
                _ => {
                    (0..4)
                        .map(|_| numbers.next(151) - 75)
                        .sum::<i32>()
                        .clamp(-127, 127)
                        / 2
                }
            });
        }
    }
}

#[wasm_bindgen_test]
fn weights_as_large_as_can_be() {
    for sizes in SIZES {
        for (zero, weight) in [(0, 127), (largest(), -127), (64, -128)] {
            check(sizes, zero, || weight);
        }
    }
}

#[wasm_bindgen_test]
fn some_weights_as_large_as_can_be() {
    for sizes in SIZES {
        let mut at = 0;
        // Eight of 64 weights in one column, beside each other.
        check(sizes, 30, || {
            at += 1;
            let (row, column) = ((at - 1) / sizes.2, (at - 1) % sizes.2);
            let large = column == 1 && row % 64 < 8;
            if large {
                127 - (row % 2) as i32
            } else {
                (at % 7) as i32 - 3
            }
        });
    }
}
