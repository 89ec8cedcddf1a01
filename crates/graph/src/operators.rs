//! The operators that fused graphs use besides the standard ones.
//!
//! Optional inputs are marked with `?`; an input that is left out is an empty
//! name, or none at the end of the list.

/// The domain of the operators that this project defines.
pub const DOMAIN: &str = "ai.multivec";

/// The domain of the operators that ONNX Runtime adds to the standard ones.
///
/// Source: ONNX Runtime, docs/ContribOperators.md.
pub(crate) const CONTRIB_DOMAIN: &str = "com.microsoft";

/// Attention over all heads: `Attention(queries, keys, values, mask?, cos?, sin?,
/// query_norm?, key_norm?, bias?)`.
///
/// Queries, keys and values are rows `[batch, length, widths[i]]`, of which the
/// columns of all heads from `offsets[i]` on are used. The mask is `[batch,
/// length]` of 64-bit integers, 0 for tokens that are not attended to. The
/// tables of rotary embedding have `length * rotated` elements, for each text
/// or for all. The scales of RMS norms of heads, before the rotation, are
/// `[columns]`. The bias is added to the scores of all texts, `[heads, length,
/// length]`, or with one head for all. The result is `[batch, length, heads *
/// columns]`.
///
/// | Attribute | Meaning |
/// | --- | --- |
/// | `heads`, `columns` | number of heads of queries, columns of each |
/// | `key_heads` | number of heads of keys and of values; each is read by `heads / key_heads` of queries, one after the other |
/// | `offsets`, `widths` | the first column that is used of queries, keys and values, and all columns of their rows |
/// | `scale` | factor of the scores |
/// | `before`, `after` | how many positions before and after its own a token sees; -1: all |
/// | `softcap` | if above 0, scores are `softcap * tanh(score / softcap)`, before bias and mask |
/// | `fill` | the score of tokens that are not seen; where it is minus infinity, a token that sees none gets zeros |
/// | `rotated` | columns of each head that rotary embedding rotates, the first ones; 0: all |
/// | `interleaved` | 1 where rotary embedding rotates pairs of neighbouring columns, 0 where it rotates halves |
/// | `query_epsilon`, `key_epsilon` | what the norms add to the mean of the squares |
/// | `relative` | 1 where the bias is `[heads, 2 * length - 1]`, by the position of the key less that of the query, plus `length - 1` |
/// | `quantized` | 1 where quantized layers compute queries, keys and values |
pub const ATTENTION: &str = "Attention";

/// Rows of a table: `Embedding(ids, table, scales?, zero_points?)`.
///
/// Ids are 64-bit integers of any shape; negative ones count from the end. The
/// table is `[rows, columns]` of floats, or of 8-bit integers where there are
/// scales; then the result is `(table - zero_points) * scales`, with one scale
/// and zero point for the whole table, or one for each row (`axis` is 0) or
/// column (`axis` is 1). The result is `[..., columns]`.
pub const EMBEDDING: &str = "Embedding";

/// An activation function of each element: `Activation(x)`.
///
/// The attribute `function` is one of
///
/// | Name | Function |
/// | --- | --- |
/// | `none` | `x` |
/// | `gelu` | `x * (1 + erf(x / sqrt(2))) / 2` |
/// | `gelu_tanh` | its approximation by a hyperbolic tangent |
/// | `silu` | `x * sigmoid(x)` |
/// | `quick_gelu` | `x * sigmoid(1.702 * x)` |
/// | `relu` | `max(x, 0)` |
/// | `relu_squared` | `max(x, 0)^2` |
pub const ACTIVATION: &str = "Activation";

/// A linear layer:
/// `Linear(x, weights, scales?, zero_points?, bias?, residual?, smoothing?)` is
/// `activation((x * smoothing) @ weights + bias) + residual`.
///
/// `x` is `[..., inner]`. Weights are `[inner, outer]` of floats, or of 8-bit
/// integers where there are scales; then the matrix is
/// `(weights - zero_points) * scales`, with one scale and zero point for all columns, or one for each.
/// `smoothing` is `[inner]`. With 8-bit weights, each row of `x` is quantized
/// with a scale of its own.
///
/// | Attribute | Meaning |
/// | --- | --- |
/// | `transposed` | 1 where weights are `[outer, inner]` |
/// | `activation` | a function of [`ACTIVATION`], or its name after `gated_`: the function of one half of the columns, multiplied by the other half |
/// | `activated` | the half of a gated layer that the function is applied to: 0 the first, 1 the second |
pub const LINEAR: &str = "Linear";

/// A linear layer whose outputs are joined over the tokens of each text:
/// `PooledLinear(x, weights, scales?, zero_points?, bias?, , smoothing?, mask)`
/// is `[batch, 1, outer]`.
///
/// Inputs, and attributes beside these, are those of [`LINEAR`], without a
/// residual. The mask is `[batch, length]` of 64-bit integers, 0 for tokens that
/// do not count.
///
/// | Attribute | Meaning |
/// | --- | --- |
/// | `join` | `max` or `sum` |
/// | `logs` | how many times `ln(1 + x)` is taken of `max(x, 0)` before tokens are joined |
pub const POOLED_LINEAR: &str = "PooledLinear";

/// L2 normalization over the last axis: `L2Normalize(x)`.
///
/// The attribute `epsilon` keeps the norm from being too small, as the
/// attribute `bound` says: the `max` or the `sum` of both, or the `root` of the
/// sum of their squares.
pub const L2_NORMALIZE: &str = "L2Normalize";

/// The standard operator of that name over the last axis, computed by our
/// kernels. Inputs and `epsilon` are the same.
pub const LAYER_NORMALIZATION: &str = "LayerNormalization";

/// RMS normalization over the last axis: `RmsNormalize(x, scale)` is
/// `x / sqrt(mean(x^2) + epsilon) * scale`, with one scale for each column and
/// the attribute `epsilon`.
pub const RMS_NORMALIZE: &str = "RmsNormalize";

/// A linear layer whose weights are no longer in the graph:
/// `PackedLinear(x, residual?)`.
///
/// Attributes: `layer`, the position in the list of
/// [`pack_linears`](crate::lower::pack_linears), and `outer`, the columns of
/// the result.
pub const PACKED_LINEAR: &str = "PackedLinear";

/// A layer as [`POOLED_LINEAR`] whose weights are no longer in the graph:
/// `PackedPooledLinear(x, mask)`.
///
/// Attributes: those of [`PACKED_LINEAR`], `join` and `logs`.
pub const PACKED_POOLED_LINEAR: &str = "PackedPooledLinear";

/// An embedding whose table is no longer in the graph: `PackedEmbedding(ids)`.
///
/// Attributes: `table`, the position in the list of
/// [`pack_embeddings`](crate::lower::pack_embeddings), and `columns` of the
/// result.
pub const PACKED_EMBEDDING: &str = "PackedEmbedding";

/// The gated short convolution of LFM2:
/// `ShortConvolution(rows, weights, bias?)` is `c * (conv(b * x) + bias)`.
///
/// Rows are `[batch, length, 3 * width]`, the columns of `b`, `c` and `x` one
/// part after the other. Weights are `[width, 1, taps]`, as the standard
/// operator `Conv` takes them for columns that are convolved alone. The
/// attribute `before` is how many rows before its own the first tap reads; rows
/// outside of the text count as zeros. The result is `[batch, length, width]`.
pub const SHORT_CONVOLUTION: &str = "ShortConvolution";
