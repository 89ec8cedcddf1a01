//! Attention from heads to heads.

use super::call::Call;

/// What masks scores.
pub(super) enum Mask {
    /// Floats that are added.
    Added(String),
    /// Booleans, true for what is seen. Rows that see nothing become zeros.
    Seen(String),
}

/// Attention of heads, `[batch, heads, length, columns]` each.
pub(super) struct DotProduct {
    pub(super) queries: String,
    pub(super) keys: String,
    pub(super) values: String,
    pub(super) scale: f32,
    /// Scores are `cap * tanh(score / cap)`; 0 for no cap.
    pub(super) cap: f32,
    pub(super) masks: Vec<Mask>,
    pub(super) hidden_rows: HiddenRows,
}

/// What becomes of rows that see nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HiddenRows {
    /// Zeros.
    Zeros,
    /// Scores are never minus infinity, so that there are none.
    Never,
}

impl DotProduct {
    /// Adds the nodes that compute the heads of the result.
    pub(super) fn apply(self, call: &mut Call<'_>) -> String {
        let keys = call.transpose(&self.keys, &[0, 1, 3, 2]);
        let builder = &mut *call.builder;
        let mut scores = builder.add("MatMul", &[&self.queries, &keys]);
        if self.scale != 1. {
            let scale = builder.float(self.scale);
            scores = builder.add("Mul", &[&scores, &scale]);
        }
        if self.cap != 0. {
            let cap = builder.float(self.cap);
            scores = builder.add("Div", &[&scores, &cap]);
            scores = builder.add("Tanh", &[&scores]);
            scores = builder.add("Mul", &[&scores, &cap]);
        }
        for mask in &self.masks {
            let added = match mask {
                Mask::Added(mask) => mask.clone(),
                Mask::Seen(seen) => {
                    let (zero, hidden) = (builder.float(0.), builder.float(f32::NEG_INFINITY));
                    builder.add("Where", &[seen, &zero, &hidden])
                }
            };
            scores = builder.add("Add", &[&scores, &added]);
        }
        let mut weights = builder.add_with("Softmax", &[&scores], |node| node.with_int("axis", -1));
        if self.hidden_rows == HiddenRows::Zeros && !self.masks.is_empty() {
            let is_nan = builder.add("IsNaN", &[&weights]);
            let zero = builder.float(0.);
            weights = builder.add("Where", &[&is_nan, &zero, &weights]);
        }
        builder.add("MatMul", &[&weights, &self.values])
    }
}

/// Whether each position, a row, sees another one, a column: it does not see
/// later ones. Booleans, `[length, length]`, as many as there are queries.
pub(super) fn causal(call: &mut Call<'_>, queries: &str) -> String {
    let [seen, seeing] = positions(call, queries);
    if call.builder.opset() < 12 {
        // Earlier sets have no comparison of both kinds.
        let later = call.builder.add("Greater", &[&seen, &seeing]);
        return call.builder.add("Not", &[&later]);
    }
    call.builder.add("LessOrEqual", &[&seen, &seeing])
}

/// Whether a column is less than `window` positions before a row, or behind it.
/// Booleans as of [`causal`].
pub(super) fn windowed(call: &mut Call<'_>, queries: &str, window: i64) -> String {
    let [seen, seeing] = positions(call, queries);
    let distance = call.builder.add("Sub", &[&seeing, &seen]);
    let window = call.builder.int(window);
    call.builder.add("Less", &[&distance, &window])
}

/// The positions of columns, `[1, length]`, and of rows, `[length, 1]`.
fn positions(call: &mut Call<'_>, queries: &str) -> [String; 2] {
    let length = call.size(queries, 2);
    let positions = call.range(&length);
    [0, 1].map(|axis| call.unsqueeze(&positions, &[axis]))
}
