//! Linear layers in INT8 against FP32, in turns:
//! `cargo bench -p multivec-kernels --bench products`. `MULTIVEC_MAX_ISA` holds them
//! to an instruction set.
//!
//! Prints least and median times, quantization of the input included, as gigaproducts
//! a second, for one thread and for two, and what registers alone reach with the same
//! instructions.

#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use multivec_kernels::sample::{LIMIT, numbers};
use multivec_kernels::{
    Activation, Activations, Layer, Linear, Parallel, Serial, ThreadPool, WeightType, Weights,
    instruction_set,
};

/// Columns of input and output: those of the demo model, and of larger ones.
const SHAPES: [[usize; 2]; 8] = [
    [384, 1152],
    [384, 1536],
    [1536, 384],
    [768, 768],
    [768, 3072],
    [3072, 768],
    [1024, 1024],
    [1024, 3072],
];
const ROWS: [usize; 5] = [1, 8, 24, 128, 300];
const ROUNDS: usize = 15;
/// Products that are timed together.
const PRODUCTS: usize = 30_000_000;

/// About normal, of this deviation.
fn normal(count: usize, deviation: f64) -> Vec<f32> {
    let mut numbers = numbers().map(|number| number as f64 / LIMIT as f64);
    let mut next = || {
        let sum: f64 = numbers.by_ref().take(12).sum();
        (deviation * (sum - 6.)) as f32
    };
    (0..count).map(|_| next()).collect()
}

fn pack(weights: Weights<'_>, [inner, outer]: [usize; 2]) -> Linear {
    let layer = Layer {
        weights,
        inner,
        outer,
        smoothing: &[],
        bias: &[],
        activation: Activation::NONE,
    };
    layer.pack().expect("the sizes fit")
}

fn main() {
    match instruction_set() {
        Ok(set) => println!("{set}"),
        Err(error) => return println!("{error}"),
    }
    peaks();
    let mut pool = ThreadPool::default();
    pool.grow_to(2).expect("a thread");
    let lent: [&dyn Parallel; 2] = [&Serial, &pool];
    for shape in SHAPES {
        let [inner, outer] = shape;
        // As in most models, the largest weights of a column are three to four
        // deviations.
        let floats: Vec<f32> = normal(inner * outer, 36.)
            .into_iter()
            .map(|weight| weight.round().clamp(-127., 127.))
            .collect();
        let bytes: Vec<u8> = floats.iter().map(|&weight| weight as i8 as u8).collect();
        let integers = Weights::Integers {
            bytes: &bytes,
            weight_type: WeightType::Int8,
            scales: &[1e-3],
            zero_points: &[],
        };
        let layers = [pack(integers, shape), pack(Weights::Floats(&floats), shape)];
        for (rows, (threads, lent)) in ROWS
            .into_iter()
            .flat_map(|rows| (1..).zip(lent).map(move |lent| (rows, lent)))
        {
            let input = normal(rows * inner, 1.);
            let mut out = vec![0.; rows * outer];
            let products = rows * inner * outer;
            let repeats = (PRODUCTS / products).max(1);
            let mut times = [const { Vec::new() }; 2];
            for _ in 0..ROUNDS {
                for (layer, times) in layers.iter().zip(&mut times) {
                    let start = Instant::now();
                    for _ in 0..repeats {
                        let rows = Activations::by_row(black_box(&input));
                        layer.run(rows, None, &mut out, lent);
                    }
                    times.push(start.elapsed());
                }
            }
            let speed = |time: Duration| (products * repeats) as f64 / time.as_secs_f64() / 1e9;
            let [int8, fp32] = times.map(|mut times| {
                times.sort();
                [speed(times[0]), speed(times[ROUNDS / 2])]
            });
            println!(
                "{rows:>4} x {inner:>4} x {outer:>4}, {threads} threads: INT8 {:5.1} ({:5.1}), FP32 {:5.1} ({:5.1}), {:.2} ({:.2}) times",
                int8[0],
                int8[1],
                fp32[0],
                fp32[1],
                int8[0] / fp32[0],
                int8[1] / fp32[1]
            );
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn peaks() {}

/// Products a second without memory, of `vpmaddubsw` alone and of all instructions that
/// the kernel of AVX2 takes for three groups.
#[cfg(target_arch = "x86_64")]
fn peaks() {
    use std::arch::x86_64::*;

    const STEPS: usize = 500_000;
    const CHAINS: usize = 8;

    #[target_feature(enable = "avx2")]
    fn alone() -> __m256i {
        let factor = black_box(_mm256_set1_epi8(1));
        let mut chains = [factor; 12];
        for _ in 0..STEPS {
            for chain in &mut chains {
                *chain = _mm256_maddubs_epi16(*chain, factor);
            }
        }
        chains
            .into_iter()
            .fold(factor, |a, b| _mm256_xor_si256(a, b))
    }

    #[target_feature(enable = "avx2")]
    fn groups() -> __m256i {
        let values = black_box([1, 2, 3].map(|value| _mm256_set1_epi8(value)));
        let ones = black_box(_mm256_set1_epi16(1));
        let mut chains = [ones; CHAINS];
        for _ in 0..STEPS {
            for chain in &mut chains {
                let mut narrow = ones;
                for values in values {
                    narrow = _mm256_add_epi16(narrow, _mm256_maddubs_epi16(values, *chain));
                }
                *chain = _mm256_add_epi32(*chain, _mm256_madd_epi16(narrow, ones));
            }
        }
        chains.into_iter().fold(ones, |a, b| _mm256_xor_si256(a, b))
    }

    if !is_x86_feature_detected!("avx2") {
        return;
    }
    let best = |run: &dyn Fn(), products: usize| {
        let times = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        });
        let least = times.min().unwrap_or_default();
        (STEPS * products) as f64 / least.as_secs_f64() / 1e9
    };
    // SAFETY: the machine has AVX2.
    let alone = best(&|| _ = black_box(unsafe { alone() }), 12 * 32);
    // SAFETY: the machine has AVX2.
    let groups = best(&|| _ = black_box(unsafe { groups() }), CHAINS * 3 * 32);
    println!("vpmaddubsw {alone:.1}, with sums {groups:.1}");
}
