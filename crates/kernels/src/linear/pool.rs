//! The outputs of a layer, joined over the tokens of each text, without all
//! outputs of all tokens at once.

use std::cell::Cell;
use std::ops::Range;

use super::operands::{Operands, Product, Window};
use super::product::multiply;
use super::{Activations, CACHED_ROW_BYTES, Linear};
use crate::aligned::Aligned;
use crate::threads::{Parallel, Shared};

/// Panels of a task: few, so that outputs stay in a core's cache until they are
/// joined.
const PANELS: usize = 8;

/// The texts that rows belong to, and what is made of them.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// `[batch, length]`, 0 for rows that do not count.
    pub mask: &'a [i64],
    /// Rows of each text.
    pub length: usize,
    /// How outputs of a text are joined.
    pub pooling: TokenPooling,
}

/// How the outputs of a column become one number a text: `max(x, 0)`, then
/// `ln(1 + x)` as many times as `logs` says, joined over the text's tokens.
///
/// Source: Formal et al., SPLADE v2, 2021.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPooling {
    /// How tokens are joined.
    pub join: Join,
    /// How many logarithms are taken.
    pub logs: u32,
}

/// How tokens are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// By the largest value.
    Max,
    /// By the sum.
    Sum,
}

impl Join {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Max, Self::Sum];

    /// The name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Sum => "sum",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|join| join.name() == name)
    }
}

impl TokenPooling {
    /// Adds the outputs of a token to what has been joined, of zeros at first.
    fn add(self, joined: &mut [f32], outputs: &[f32]) {
        let pairs = joined.iter_mut().zip(outputs);
        match self.join {
            // Logarithms keep the order of values.
            Join::Max => pairs.for_each(|(joined, &output)| {
                if output > *joined || output.is_nan() {
                    *joined = output;
                }
            }),
            Join::Sum => pairs.for_each(|(joined, &output)| *joined += self.value(output)),
        }
    }

    fn finish(self, joined: &mut [f32]) {
        if self.join == Join::Max && self.logs > 0 {
            joined
                .iter_mut()
                .for_each(|joined| *joined = self.value(*joined));
        }
    }

    /// What an output becomes.
    fn value(self, output: f32) -> f32 {
        // Most outputs are below 0, NaN is not.
        if output <= 0. {
            return 0.;
        }
        (0..self.logs).fold(output, |value, _| value.ln_1p())
    }
}

impl Linear {
    /// Computes `[batch, outer]` from `[batch, length, inner]`.
    ///
    /// # Panics
    /// If the slices do not have these shapes.
    pub fn pool(
        &self,
        activations: Activations<'_>,
        texts: Texts<'_>,
        out: &mut [f32],
        threads: &dyn Parallel,
    ) {
        let count = texts.mask.len();
        assert_eq!(activations.rows.len(), count * self.inner, "a row a token");
        out.fill(0.);
        if count == 0 {
            return;
        }
        let batch = count / texts.length;
        assert_eq!(count, batch * texts.length, "whole texts");
        assert_eq!(out.len(), batch * self.outer, "one output row per text");
        let columns = self.set.layout().columns;
        let panels = self.bias.len() / columns;
        let width = if self.activation.is_gated() {
            columns / 2
        } else {
            columns
        };
        self.with_operands(activations, threads, |operands, row_size| {
            let part = Part {
                linear: self,
                operands,
                texts,
                step: (CACHED_ROW_BYTES / row_size.max(1)).clamp(1, count),
                out: Shared::new(out),
            };
            threads.run(panels.div_ceil(PANELS), &|at| {
                let panels = at * PANELS..((at + 1) * PANELS).min(panels);
                let columns = panels.start * width..(panels.end * width).min(self.outer);
                part.run(panels, columns);
            });
        });
    }
}

thread_local! {
    /// Outputs that are not joined yet, reused from task to task.
    static OUTPUTS: Cell<Aligned<f32>> = const { Cell::new(Aligned::new()) };
}

/// A layer, to be computed in parts.
struct Part<'a> {
    linear: &'a Linear,
    operands: Operands<'a>,
    texts: Texts<'a>,
    /// Rows that are computed at once.
    step: usize,
    out: Shared<'a, f32>,
}

impl Part<'_> {
    /// Computes some panels, whose outputs are those columns.
    fn run(&self, panels: Range<usize>, columns: Range<usize>) {
        let outer = self.linear.outer;
        let Texts {
            mask,
            length,
            pooling,
        } = self.texts;
        let joined = |text: usize| {
            let start = text * outer;
            // SAFETY: each task has columns of its own.
            unsafe { self.out.part(start + columns.start..start + columns.end) }
        };
        let mut outputs = OUTPUTS.take();
        let width = columns.len();
        outputs.resize(outputs.len().max(self.step * width), 0.);
        for start in (0..mask.len()).step_by(self.step) {
            let rows = start..(start + self.step).min(mask.len());
            let outputs = &mut outputs[..rows.len() * width];
            let product = Product {
                linear: self.linear,
                operands: self.operands.part(rows.clone(), mask.len()),
                residual: None,
                out: Window {
                    values: Shared::new(outputs),
                    stride: width,
                    panel: panels.start,
                },
            };
            multiply(self.linear.set, &product, 0..rows.len(), panels.clone());
            for (row, outputs) in rows.zip(outputs.chunks_exact(width)) {
                if mask[row] != 0 {
                    pooling.add(joined(row / length), outputs);
                }
            }
        }
        for text in 0..mask.len() / length {
            pooling.finish(joined(text));
        }
        OUTPUTS.set(outputs);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Function, Layer, WeightType, Weights};
    use super::*;
    use crate::sample;
    use crate::threads::{Serial, ThreadPool};

    const LENGTH: usize = 7;
    const INNER: usize = 24;

    fn numbers(skipped: usize, count: usize) -> Vec<f32> {
        let numbers = sample::numbers().skip(skipped).take(count);
        numbers
            .map(|number| number as f32 / sample::LIMIT as f32 - 0.5)
            .collect()
    }

    /// What all outputs of all tokens become.
    fn definition(outputs: &[f32], outer: usize, texts: Texts<'_>) -> Vec<f32> {
        let TokenPooling { join, logs } = texts.pooling;
        let text = outputs.chunks_exact(outer * texts.length);
        let masks = texts.mask.chunks_exact(texts.length);
        let joined = text.zip(masks).flat_map(|(rows, mask)| {
            (0..outer).map(move |column| {
                let tokens = rows.chunks_exact(outer).zip(mask);
                let tokens = tokens.filter(|(_, mask)| **mask != 0);
                let values = tokens.map(|(row, _)| {
                    let value = f64::from(row[column].max(0.));
                    (0..logs).fold(value, |value, _| (1. + value).ln())
                });
                match join {
                    Join::Max => values.fold(0., f64::max) as f32,
                    Join::Sum => values.sum::<f64>() as f32,
                }
            })
        });
        joined.collect()
    }

    #[test]
    fn outputs_are_joined_over_the_tokens_of_a_text() {
        let bytes: Vec<u8> = (0..INNER * 800).map(|at| (at * 37 % 251) as u8).collect();
        let mut pool = ThreadPool::default();
        pool.grow_to(3).expect("threads");
        for outer in [1, 15, 16, 130, 800] {
            let floats = numbers(9, INNER * outer);
            let scales = vec![0.01; outer];
            let bias = numbers(77, outer);
            for weights in [
                Weights::Floats(&floats),
                Weights::Integers {
                    bytes: &bytes[..INNER * outer],
                    weight_type: WeightType::Int8,
                    scales: &scales,
                    zero_points: &[],
                },
            ] {
                for function in [Function::Identity, Function::Relu] {
                    let layer = Layer {
                        weights,
                        inner: INNER,
                        outer,
                        smoothing: &[],
                        bias: &bias,
                        activation: Activation::Each(function),
                    };
                    check(&layer.pack().expect("sizes fit"), &pool);
                }
            }
        }
    }

    fn check(linear: &Linear, pool: &ThreadPool) {
        let outer = linear.outer();
        // More rows than are computed at once, padding, and a text of nothing else.
        for batch in [0, 1, 3, 500] {
            let mask: Vec<i64> = (0..batch * LENGTH)
                .map(|at| i64::from(at % LENGTH <= at / LENGTH % 9 && at / LENGTH != 2))
                .collect();
            let rows = numbers(3, batch * LENGTH * INNER);
            let activations = Activations::by_row(&rows);
            let mut outputs = vec![0.; batch * LENGTH * outer];
            linear.run(activations, None, &mut outputs, &Serial);
            for join in Join::ALL {
                for logs in 0..3 {
                    let texts = Texts {
                        mask: &mask,
                        length: LENGTH,
                        pooling: TokenPooling { join, logs },
                    };
                    let expected = definition(&outputs, outer, texts);
                    let mut found = vec![f32::NAN; batch * outer];
                    for threads in [&Serial as &dyn Parallel, pool] {
                        linear.pool(activations, texts, &mut found, threads);
                        for (found, expected) in found.iter().zip(&expected) {
                            let is_near = (found - expected).abs() <= 1e-6 * expected.max(1.);
                            assert!(is_near, "{join:?} {logs}: {found}, {expected}");
                        }
                    }
                    if batch == 500 {
                        // Texts of other masks are in the small batches.
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_shows() {
        let weights = numbers(5, INNER * 40);
        let layer = Layer {
            weights: Weights::Floats(&weights),
            inner: INNER,
            outer: 40,
            smoothing: &[],
            bias: &[],
            activation: Activation::NONE,
        };
        let linear = layer.pack().expect("sizes fit");
        let mut rows = numbers(1, 2 * INNER);
        rows[3] = f32::NAN;
        for (mask, is_nan) in [([1, 1], true), ([0, 1], false)] {
            for join in Join::ALL {
                let texts = Texts {
                    mask: &mask,
                    length: 2,
                    pooling: TokenPooling { join, logs: 1 },
                };
                let mut out = vec![0.; 40];
                linear.pool(Activations::by_row(&rows), texts, &mut out, &Serial);
                assert!(out.iter().all(|value| value.is_nan() == is_nan), "{join:?}");
            }
        }
    }
}
