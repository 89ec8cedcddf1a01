//! Convolution along texts, column by column.

use crate::builder::Builder;
use crate::onnx::NodeProto;

/// A convolution of each column with weights of its own.
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
        let columns = |node: NodeProto| node.with_ints("perm", &[0, 2, 1]);
        let rows = builder.add_with("Transpose", &[rows], columns);
        let convolved = builder.add_with("Conv", &[&rows, weights], |conv| {
            let sizes = [width, self.taps, self.before, self.after].map(|size| size as i64);
            let [width, taps, before, after] = sizes;
            conv.with_int("group", width)
                .with_ints("kernel_shape", &[taps])
                .with_ints("pads", &[before, after])
        });
        builder.add_with("Transpose", &[&convolved], columns)
    }
}
