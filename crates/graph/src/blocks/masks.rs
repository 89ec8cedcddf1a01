//! Positions, and which of them a token sees.

use crate::builder::Builder;
use crate::onnx::{BOOL, FLOAT, INT64, NodeProto};

/// The positions of a batch as a value `[length]` of 64-bit integers.
pub(crate) struct Positions(pub(crate) String);

impl Positions {
    /// From the shape of `input_ids`.
    pub(crate) fn of_inputs(builder: &mut Builder) -> Self {
        let shape = builder.add("Shape", &["input_ids"]);
        let at = builder.int(1);
        let length = builder.add("Gather", &[&shape, &at]);
        let (start, step) = (builder.int(0), builder.int(1));
        Self(builder.add("Range", &[&start, &length, &step]))
    }

    /// Positions as floats, `[length, 1]`.
    pub(crate) fn column_of_floats(&self, builder: &mut Builder) -> String {
        let to_float = |node: NodeProto| node.with_int("to", FLOAT.into());
        let floats = builder.add_with("Cast", &[&self.0], to_float);
        unsqueeze(builder, &floats, 1)
    }

    /// A row and a column of positions: those that are seen, and those that see.
    pub(crate) fn pairs(&self, builder: &mut Builder) -> Pairs {
        Pairs {
            seen: unsqueeze(builder, &self.0, 0),
            seeing: unsqueeze(builder, &self.0, 1),
        }
    }
}

/// Values that broadcast to `[length, length]`.
pub(crate) struct Pairs {
    /// `[1, length]`
    pub(crate) seen: String,
    /// `[length, 1]`
    pub(crate) seeing: String,
}

pub(crate) fn unsqueeze(builder: &mut Builder, x: &str, axis: i64) -> String {
    builder.add_over("Unsqueeze", x, &[axis], 13, |node| node)
}

/// Positions `[batch, length]`: the id of padding for padding, and one more for
/// each other token.
pub(crate) fn after_padding(builder: &mut Builder, padding: i64) -> String {
    let to_int = |node: NodeProto| node.with_int("to", INT64.into());
    let padding = builder.int(padding);
    let is_padding = builder.add("Equal", &["input_ids", &padding]);
    let is_token = builder.add("Not", &[&is_padding]);
    let tokens = builder.add_with("Cast", &[&is_token], to_int);
    let axis = builder.int(1);
    let counted = builder.add("CumSum", &[&tokens, &axis]);
    let counted = builder.add("Mul", &[&counted, &tokens]);
    builder.add("Add", &[&counted, &padding])
}

/// What is added to scores, `[batch, heads, length, length]`.
pub(crate) struct Mask {
    pub(super) value: String,
    /// Whether a token may see none at all, which gives zeros.
    pub(super) is_guarded: bool,
}

impl Mask {
    /// Hides padding.
    pub(crate) fn padding(builder: &mut Builder) -> Self {
        let to_float = |node: NodeProto| node.with_int("to", FLOAT.into());
        let tokens = builder.add_with("Cast", &["attention_mask"], to_float);
        let tokens = builder.add_over("Unsqueeze", &tokens, &[1, 2], 13, |node| node);
        let one = builder.float(1.);
        let hidden = builder.add("Sub", &[&one, &tokens]);
        let lowest = builder.float(f32::MIN);
        Self {
            value: builder.add("Mul", &[&hidden, &lowest]),
            is_guarded: false,
        }
    }

    /// 1 for tokens and 0 for padding, `[batch, length, 1]` of floats.
    pub(crate) fn column_of_tokens(builder: &mut Builder) -> String {
        let to_float = |node: NodeProto| node.with_int("to", FLOAT.into());
        let tokens = builder.add_with("Cast", &["attention_mask"], to_float);
        unsqueeze(builder, &tokens, 2)
    }

    /// Hides padding, and tokens more than `window` positions away.
    pub(crate) fn windowed(builder: &mut Builder, positions: &Positions, window: i64) -> Self {
        let Pairs { seen, seeing } = positions.pairs(builder);
        let difference = builder.add("Sub", &[&seeing, &seen]);
        let (most, least) = (builder.int(window), builder.int(-window));
        let after = builder.add("LessOrEqual", &[&difference, &most]);
        let before = builder.add("GreaterOrEqual", &[&difference, &least]);
        let near = builder.add("And", &[&after, &before]);
        Self {
            value: additive(builder, &near, f32::NEG_INFINITY),
            is_guarded: true,
        }
    }

    /// Hides padding, and tokens that come later.
    pub(crate) fn causal(builder: &mut Builder, positions: &Positions) -> Self {
        let Pairs { seen, seeing } = positions.pairs(builder);
        let earlier = builder.add("LessOrEqual", &[&seen, &seeing]);
        Self {
            value: additive(builder, &earlier, f32::MIN),
            is_guarded: false,
        }
    }

    /// Hides padding, tokens that come later, and those more than `window - 1`
    /// positions before.
    pub(crate) fn causal_window(builder: &mut Builder, positions: &Positions, window: i64) -> Self {
        let Pairs { seen, seeing } = positions.pairs(builder);
        let earlier = builder.add("LessOrEqual", &[&seen, &seeing]);
        let window = builder.int(window);
        let last_hidden = builder.add("Sub", &[&seeing, &window]);
        let near = builder.add("Greater", &[&seen, &last_hidden]);
        let visible = builder.add("And", &[&earlier, &near]);
        Self {
            value: additive(builder, &visible, f32::MIN),
            is_guarded: false,
        }
    }

    /// With something else added to the scores, a value that broadcasts to
    /// `[batch, heads, length, length]`.
    pub(crate) fn with_bias(self, builder: &mut Builder, bias: &str) -> Self {
        Self {
            value: builder.add("Add", &[&self.value, bias]),
            ..self
        }
    }
}

/// 0 for tokens that are not padding and in these pairs, else `fill`.
fn additive(builder: &mut Builder, pairs: &str, fill: f32) -> String {
    let to_bool = |node: NodeProto| node.with_int("to", BOOL.into());
    let tokens = builder.add_with("Cast", &["attention_mask"], to_bool);
    let tokens = builder.add_over("Unsqueeze", &tokens, &[1, 2], 13, |node| node);
    let visible = builder.add("And", &[&tokens, pairs]);
    let (zero, fill) = (builder.float(0.), builder.float(fill));
    builder.add("Where", &[&visible, &zero, &fill])
}
