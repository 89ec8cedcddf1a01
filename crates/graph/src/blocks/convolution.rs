//! Convolution along texts, column by column.

use crate::builder::Builder;
use crate::onnx::NodeProto;

/// A convolution of each column with weights of its own.
///
/// It is written as a sum of shifted rows, which costs no more than the
/// operator for so few weights, and which every engine has.
pub(crate) struct Convolution {
    taps: usize,
    /// Rows of zeros before and after a text.
    before: usize,
    after: usize,
}

impl Convolution {
    /// Of a row and those before it.
    pub(crate) fn causal(taps: usize) -> Self {
        Self {
            taps,
            before: taps - 1,
            after: 0,
        }
    }

    /// Of a row and those around it.
    pub(crate) fn centered(taps: usize) -> Self {
        Self {
            taps,
            before: taps / 2,
            after: taps - 1 - taps / 2,
        }
    }

    /// Weights of each column.
    pub(crate) fn taps(&self) -> usize {
        self.taps
    }

    /// Adds the nodes for rows `[batch, length, width]` and weights
    /// `[width, 1, taps]`.
    pub(crate) fn apply(
        &self,
        builder: &mut Builder,
        rows: &str,
        weights: &str,
        width: usize,
    ) -> String {
        let taps_first = |node: NodeProto| node.with_ints("perm", &[2, 1, 0]);
        let weights = builder.add_with("Transpose", &[weights], taps_first);
        let (start, axis) = (builder.ints(&[0]), builder.ints(&[1]));
        let shape = builder.add("Shape", &["input_ids"]);
        let batch = builder.add("Slice", &[&shape, &start, &axis]);
        let before = zeros(builder, &batch, [self.before, width]);
        let after = zeros(builder, &batch, [self.after, width]);
        let parts: Vec<&str> = [before.as_deref(), Some(rows), after.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        let padded = builder.add_with("Concat", &parts, |node| node.with_int("axis", 1));

        let mut sum: Option<String> = None;
        for tap in 0..self.taps {
            let left = self.taps - 1 - tap;
            let first = builder.ints(&[tap as i64]);
            let end = builder.ints(&[match left {
                0 => i64::MAX,
                left => -(left as i64),
            }]);
            let shifted = builder.add("Slice", &[&padded, &first, &end, &axis]);
            let (at, next) = (builder.ints(&[tap as i64]), builder.ints(&[tap as i64 + 1]));
            let weight = builder.add("Slice", &[&weights, &at, &next, &start]);
            let product = builder.add("Mul", &[&shifted, &weight]);
            sum = Some(match sum {
                Some(sum) => builder.add("Add", &[&sum, &product]),
                None => product,
            });
        }
        sum.unwrap_or(padded)
    }
}

/// `[batch, rows, width]` of zeros, if there are rows.
fn zeros(builder: &mut Builder, batch: &str, [rows, width]: [usize; 2]) -> Option<String> {
    if rows == 0 {
        return None;
    }
    let sizes = builder.ints(&[rows as i64, width as i64]);
    let shape = builder.add_with("Concat", &[batch, &sizes], |node| node.with_int("axis", 0));
    Some(builder.add("ConstantOfShape", &[&shape]))
}
