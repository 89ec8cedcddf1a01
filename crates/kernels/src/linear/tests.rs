use super::super::exp::{
    gelu, gelu_tanh, quick_gelu, rough_gelu, rough_gelu_tanh, rough_quick_gelu, rough_silu, silu,
};
use super::*;
use crate::sample;

struct Sample {
    weights: Vec<u8>,
    scales: Vec<f32>,
    zero_points: Vec<u8>,
    bias: Vec<f32>,
    rows: Vec<f32>,
    residual: Vec<f32>,
}

fn sample(count: usize, inner: usize, outer: usize) -> Sample {
    let mut numbers = sample::numbers();
    let mut unit = || numbers.next().unwrap_or_default() as f32 / sample::LIMIT as f32;
    let mut floats = |count: usize, low: f32, high: f32| -> Vec<f32> {
        (0..count).map(|_| low + unit() * (high - low)).collect()
    };
    let weights = floats(inner * outer, 0., 256.)
        .into_iter()
        .map(|one| one as u8)
        .collect();
    let zero_points = floats(outer, 100., 156.)
        .into_iter()
        .map(|one| one as u8)
        .collect();
    Sample {
        weights,
        zero_points,
        scales: floats(outer, 0.001, 0.02),
        bias: floats(outer, -1., 1.),
        rows: floats(count * inner, -1.5, 2.5),
        residual: floats(count * outer, -1., 1.),
    }
}

impl Sample {
    fn layer(
        &self,
        inner: usize,
        outer: usize,
        weight_type: WeightType,
        activation: Activation,
    ) -> Layer<'_> {
        Layer {
            weights: Weights::Integers {
                bytes: &self.weights,
                weight_type,
                scales: &self.scales,
                zero_points: match weight_type {
                    WeightType::Int8 => &[],
                    WeightType::Uint8 => &self.zero_points,
                },
            },
            inner,
            outer,
            smoothing: &[],
            bias: &self.bias,
            activation,
        }
    }
}

/// A weight in 64 bits.
fn weight(layer: &Layer<'_>, row: usize, column: usize) -> f64 {
    let at = row * layer.outer + column;
    match layer.weights {
        Weights::Floats(weights) => f64::from(weights[at]),
        Weights::Integers {
            bytes,
            weight_type,
            scales,
            zero_points,
        } => {
            let value = match weight_type {
                WeightType::Int8 => f64::from(bytes[at] as i8),
                WeightType::Uint8 => f64::from(bytes[at]) - f64::from(zero_points[column]),
            };
            value * f64::from(scales[column])
        }
    }
}

/// How a row is quantized by the definition.
#[derive(Clone, Copy)]
struct Quantizer {
    /// The largest quantized value.
    largest: f64,
    /// Columns that share a scale.
    block: usize,
    /// The range of all rows, if they share one.
    range: Option<(f32, f32)>,
}

/// An output by the definition.
struct Expected {
    value: f64,
    /// What its rounding errors grow with.
    size: f64,
}

/// The definition, in 64 bits, with `DynamicQuantizeLinear` on each block of a row.
fn definition(layer: &Layer<'_>, row: &[f32], quantizer: Quantizer) -> Vec<Expected> {
    let largest = quantizer.largest;
    let quantized = |block: &[f32]| -> Vec<f64> {
        let range = quantizer.range;
        let (low, high) = range.unwrap_or_else(|| quantize::range(block, &[]));
        let scale = (high - low) / largest as f32;
        let zero = f64::from((-low / scale).round_ties_even());
        let quantized =
            |x: f32| (f64::from((x / scale).round_ties_even()) + zero).clamp(0., largest);
        let values = block.iter().map(|&x| match layer.weights {
            Weights::Floats(_) => f64::from(x),
            Weights::Integers { .. } => (quantized(x) - zero) * f64::from(scale),
        });
        values.collect()
    };
    let values: Vec<f64> = row.chunks(quantizer.block).flat_map(quantized).collect();
    let sums: Vec<f64> = (0..layer.outer)
        .map(|column| {
            let terms = values.iter().enumerate();
            let terms = terms.map(|(at, value)| value * weight(layer, at, column));
            terms.sum::<f64>() + f64::from(layer.bias[column])
        })
        .collect();
    let is_float = matches!(layer.weights, Weights::Floats(_));
    match layer.activation {
        Activation::Each(function) => {
            let values = sums.iter().map(|&sum| Expected {
                value: value_of(function, is_float, sum),
                size: size_of(function, sum),
            });
            values.collect()
        }
        Activation::Gated(function) => {
            let (left, right) = sums.split_at(layer.outer / 2);
            let pairs = left.iter().zip(right).map(|(&left, &right)| Expected {
                value: value_of(function, is_float, left) * right,
                size: size_of(function, left) * right.abs().max(1.),
            });
            pairs.collect()
        }
    }
}

fn size_of(function: Function, sum: f64) -> f64 {
    match function {
        Function::ReluSquared => sum.powi(2),
        _ => sum.abs(),
    }
}

/// A function of a sum. Those that are approximated are tested where they are
/// defined.
fn value_of(function: Function, is_float: bool, sum: f64) -> f64 {
    let x = [sum as f32];
    let [value] = match (function, is_float) {
        (Function::Identity, _) => return sum,
        (Function::Relu, _) => return sum.max(0.),
        (Function::ReluSquared, _) => return sum.max(0.).powi(2),
        (Function::Gelu, true) => gelu(x),
        (Function::Gelu, false) => rough_gelu(x),
        (Function::GeluTanh, true) => gelu_tanh(x),
        (Function::GeluTanh, false) => rough_gelu_tanh(x),
        (Function::Silu, true) => silu(x),
        (Function::Silu, false) => rough_silu(x),
        (Function::QuickGelu, true) => quick_gelu(x),
        (Function::QuickGelu, false) => rough_quick_gelu(x),
    };
    value.into()
}

/// Threads of the test's own, so that tasks really run in parallel.
struct Threads(usize);

impl Parallel for Threads {
    fn threads(&self) -> usize {
        self.0
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let next = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.0 {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if at >= count {
                            break;
                        }
                        task(at);
                    }
                });
            }
        });
    }
}

#[test]
fn matches_the_definition_on_every_instruction_set() {
    // Less than a tile, whole tiles, and more; multiples of no vector.
    let sizes = [(1, 7, 6), (5, 64, 48), (13, 130, 70), (29, 33, 34)];
    // Miri takes minutes for more.
    let sizes = if cfg!(miri) { &sizes[..1] } else { &sizes };
    for &(count, inner, outer) in sizes {
        let sample = sample(count, inner, outer);
        let activations = Function::ALL
            .into_iter()
            .flat_map(|function| [Activation::Each(function), Activation::Gated(function)]);
        for activation in activations {
            let [signed, unsigned] = [WeightType::Int8, WeightType::Uint8]
                .map(|kind| sample.layer(inner, outer, kind, activation));
            let floats: Vec<f32> = (0..inner * outer)
                .map(|at| weight(&signed, at / outer, at % outer) as f32)
                .collect();
            let floats = Layer {
                weights: Weights::Floats(&floats),
                ..signed
            };
            for set in InstructionSet::all()
                .into_iter()
                .chain([InstructionSet::BLOCKS])
            {
                for layer in [signed, unsigned, floats] {
                    check(&sample, &layer, set);
                }
            }
        }
    }
}

fn check(sample: &Sample, layer: &Layer<'_>, set: InstructionSet) {
    let layout = set.layout();
    let block = (layout.block_size)(layer.inner.next_multiple_of(layout.group));
    for granularity in [Granularity::Row, Granularity::Tensor] {
        let linear = layer.pack_for(set).expect("sizes fit");
        let width = linear.outer();
        let count = sample.rows.len() / layer.inner;
        let residual = &sample.residual[..count * width];
        let mut found = vec![f32::NAN; count * width];
        let activations = Activations {
            rows: &sample.rows,
            granularity,
        };
        linear.run(activations, Some(residual), &mut found, &Threads(3));
        let mut plain = vec![f32::NAN; count * width];
        linear.run(activations, None, &mut plain, &crate::Serial);
        let quantizer = Quantizer {
            largest: linear.max_quantized(granularity).into(),
            block,
            range: (granularity == Granularity::Tensor).then(|| quantize::range(&sample.rows, &[])),
        };
        for (at, row) in sample.rows.chunks_exact(layer.inner).enumerate() {
            let expected = definition(layer, row, quantizer);
            for (column, Expected { value, size }) in expected.iter().enumerate() {
                let at = at * width + column;
                // A gate multiplies the rounding errors of both its factors.
                let bound = 1e-5 * size.max(10.);
                let without = f64::from(plain[at]);
                assert!(
                    (without - value).abs() <= bound,
                    "{set:?} {granularity:?} {:?}: {without} {value}",
                    layer.activation
                );
                assert!((found[at] - (plain[at] + residual[at])).abs() <= 1e-6);
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has one instruction set")]
fn int8_outputs_are_identical_on_every_instruction_set() {
    let (count, inner, outer) = (31, 258, 100);
    let sample = sample(count, inner, outer);
    let layer = sample.layer(inner, outer, WeightType::Int8, Activation::NONE);
    let run = |set: InstructionSet| {
        let linear = layer.pack_for(set).expect("sizes fit");
        let mut out = vec![0.; count * outer];
        linear.run(
            Activations::by_row(&sample.rows),
            None,
            &mut out,
            &crate::Serial,
        );
        out
    };
    let plain = run(InstructionSet::PLAIN);
    let has_same_range = |set: &InstructionSet| {
        let layout = set.layout();
        let has_one_scale = (layout.block_size)(inner) >= inner;
        has_one_scale && layout.max_quantized == InstructionSet::PLAIN.layout().max_quantized
    };
    for set in InstructionSet::all().into_iter().filter(has_same_range) {
        assert_eq!(run(set), plain, "{set:?}");
    }
}

/// A weight as in most models: bell-shaped, with a few large ones.
fn bell_shaped(numbers: &mut impl Iterator<Item = u64>) -> i8 {
    let mut below = |limit: u64| (numbers.next().unwrap_or_default() % limit) as i32;
    match below(300) {
        0 => 127,
        1 => -128,
        _ => ((0..4).map(|_| below(151) - 75).sum::<i32>() / 2).clamp(-127, 127) as i8,
    }
}

/// Sums are those of integers, whatever the weights and however many bits the
/// instruction set's products leave to the activations.
#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn sums_are_exact() {
    let (rows, outer) = (29, 50);
    for inner in [8, 64, 100, 392, 777] {
        let mut numbers = sample::numbers();
        let bells: Vec<i8> = (0..inner * outer)
            .map(|_| bell_shaped(&mut numbers))
            .collect();
        // Eight adjacent rows of 64, in one column.
        let places = (0..inner * outer).map(|at| match (at / outer % 64, at % outer) {
            (row @ 0..8, 1) => 127 - (row % 2) as i8,
            _ => (at % 7) as i8 - 3,
        });
        for weights in [
            bells,
            places.collect(),
            vec![127; inner * outer],
            vec![-128; inner * outer],
        ] {
            for set in InstructionSet::all() {
                for zero_point in [0, 50, 127] {
                    check_sums(set, &weights, [rows, inner, outer], zero_point);
                }
            }
        }
    }
}

fn check_sums(
    set: InstructionSet,
    weights: &[i8],
    [count, inner, outer]: [usize; 3],
    zero_point: i32,
) {
    let bytes: Vec<u8> = weights.iter().map(|&weight| weight as u8).collect();
    let layer = Layer {
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
        activation: Activation::NONE,
    };
    let linear = layer.pack_for(set).expect("sizes fit");
    let largest = linear.max_quantized(Granularity::Row);
    let mut numbers = sample::numbers();
    // Quantized with a scale of 1: the smallest and the largest value are in every
    // block of a row.
    let rows: Vec<i32> = (0..count * inner)
        .map(|at| match at % inner % 4 {
            1 => 0,
            2 => largest,
            _ => (numbers.next().unwrap_or_default() % (largest as u64 + 1)) as i32,
        })
        .map(|value| value - zero_point)
        .collect();
    let floats: Vec<f32> = rows.iter().map(|&value| value as f32).collect();
    let mut out = vec![f32::NAN; count * outer];
    linear.run(Activations::by_row(&floats), None, &mut out, &crate::Serial);
    for (row, out) in rows.chunks(inner).zip(out.chunks(outer)) {
        for (column, &found) in out.iter().enumerate() {
            let terms = row.iter().enumerate();
            let expected: i32 = terms
                .map(|(at, value)| value * i32::from(weights[at * outer + column]))
                .sum();
            assert_eq!(found, expected as f32, "{set:?}, {inner}, {largest}");
        }
    }
}

#[test]
fn rows_do_not_depend_on_their_neighbours() {
    let (count, inner, outer) = (20, 96, 40);
    let sample = sample(count, inner, outer);
    let layer = sample.layer(
        inner,
        outer,
        WeightType::Int8,
        Activation::Each(Function::Gelu),
    );
    for set in InstructionSet::all() {
        let linear = layer.pack_for(set).expect("sizes fit");
        let mut all = vec![0.; count * outer];
        linear.run(
            Activations::by_row(&sample.rows),
            None,
            &mut all,
            &crate::Serial,
        );
        for (row, expected) in sample.rows.chunks(inner).zip(all.chunks(outer)) {
            let mut alone = vec![0.; outer];
            linear.run(Activations::by_row(row), None, &mut alone, &crate::Serial);
            assert_eq!(alone, expected);
        }
    }
}

#[test]
fn rows_that_are_not_finite_give_nan() {
    let sample = sample(3, 32, 16);
    let layer = sample.layer(32, 16, WeightType::Int8, Activation::NONE);
    for set in InstructionSet::all() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for column in [0, 17, 31] {
                let mut rows = sample.rows.clone();
                rows[32 + column] = value;
                let mut out = vec![0.; 3 * 16];
                let linear = layer.pack_for(set).expect("sizes fit");
                linear.run(Activations::by_row(&rows), None, &mut out, &crate::Serial);
                assert!(out[..16].iter().all(|value| value.is_finite()));
                assert!(out[16..32].iter().all(|value| value.is_nan()), "{value}");
                assert!(out[32..].iter().all(|value| value.is_finite()));
            }
        }
    }
}

#[test]
fn rows_of_zeros_give_the_bias() {
    let sample = sample(1, 32, 16);
    let layer = sample.layer(32, 16, WeightType::Uint8, Activation::NONE);
    for set in InstructionSet::all() {
        let mut out = vec![0.; 16];
        let linear = layer.pack_for(set).expect("sizes fit");
        linear.run(
            Activations::by_row(&[0.; 32]),
            None,
            &mut out,
            &crate::Serial,
        );
        assert_eq!(out, sample.bias);
    }
}

#[test]
fn smoothing_is_applied_before_quantization() {
    let (inner, outer) = (70, 40);
    let sample = sample(5, inner, outer);
    let layer = sample.layer(
        inner,
        outer,
        WeightType::Int8,
        Activation::Each(Function::Gelu),
    );
    let smoothing: Vec<f32> = (0..inner).map(|at| 0.2 + at as f32 * 0.05).collect();
    let factors = smoothing.iter().cycle();
    let rows = sample.rows.iter().zip(factors);
    let smooth: Vec<f32> = rows.map(|(value, factor)| value * factor).collect();
    for set in InstructionSet::all()
        .into_iter()
        .chain([InstructionSet::BLOCKS])
    {
        for granularity in [Granularity::Row, Granularity::Tensor] {
            let run = |layer: Layer<'_>, rows: &[f32]| {
                let mut out = vec![f32::NAN; 5 * outer];
                let rows = Activations { rows, granularity };
                let linear = layer.pack_for(set).expect("sizes fit");
                linear.run(rows, None, &mut out, &crate::Serial);
                out
            };
            let smoothed = Layer {
                smoothing: &smoothing,
                ..layer
            };
            let found = run(smoothed, &sample.rows);
            assert!(found.iter().all(|value| value.is_finite()));
            assert!(found == run(layer, &smooth), "{set:?} {granularity:?}");
            assert!(found != run(layer, &sample.rows));
        }
    }
}

#[test]
fn contradicting_sizes_are_refused() {
    let sample = sample(1, 8, 6);
    let layer = sample.layer(8, 6, WeightType::Int8, Activation::NONE);
    assert!(layer.pack().is_some());
    let with = |scales, zero_points| Layer {
        weights: Weights::Integers {
            bytes: &sample.weights,
            weight_type: WeightType::Int8,
            scales,
            zero_points,
        },
        ..layer
    };
    let (scales, zeros) = (&sample.scales, &sample.zero_points);
    for wrong in [
        Layer { inner: 9, ..layer },
        with(&scales[..2], &[]),
        with(&[], &[]),
        with(scales, &zeros[..3]),
        Layer {
            bias: &sample.bias[..1],
            ..layer
        },
        Layer {
            smoothing: &sample.bias[..6],
            ..layer
        },
        Layer {
            weights: Weights::Floats(&sample.residual),
            inner: 1,
            smoothing: &[2.],
            ..layer
        },
        Layer {
            outer: 0,
            weights: Weights::Floats(&[]),
            ..layer
        },
        Layer {
            outer: usize::MAX,
            ..layer
        },
        Layer {
            inner: 16,
            outer: 3,
            bias: &[],
            activation: Activation::Gated(Function::Gelu),
            ..with(&[1.], &[])
        },
    ] {
        assert!(wrong.pack().is_none(), "{wrong:?}");
    }
}
