//! The inputs of attention.

use super::super::linear::Granularity;

/// `[batch, length, heads * columns]`, as columns of a matrix `[batch, length,
/// stride]` that start at `offset`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The whole matrix.
    pub data: &'a [f32],
    /// Columns of `data`.
    pub stride: usize,
    /// The first column of these rows.
    pub offset: usize,
}

impl<'a> Rows<'a> {
    /// `columns` of one row, from `first` on.
    #[inline(always)]
    pub(super) fn row(&self, row: usize, first: usize, columns: usize) -> &'a [f32] {
        let start = row * self.stride + self.offset + first;
        &self.data[start..start + columns]
    }
}

/// The inputs of attention.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Tokens of each text, with padding.
    pub length: usize,
    /// Queries, `[batch, length, heads * columns]`.
    pub queries: Rows<'a>,
    /// Keys, `[batch, length, key_heads * columns]`.
    pub keys: Rows<'a>,
    /// Values, as many as keys.
    pub values: Rows<'a>,
    /// `[batch, length]`, 0 for tokens to be ignored, such as padding.
    pub mask: Option<&'a [i64]>,
    /// Norms of queries and keys.
    pub norms: HeadNorms<'a>,
    /// Rotary embedding of queries and keys, after their norms.
    pub rotation: Option<Rotation<'a>>,
    /// Added to the scores.
    pub bias: Option<Bias<'a>>,
    /// The precision of both products.
    pub precision: Precision,
}

/// The precision of attention's products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Fp32,
    /// 8 bits, with a scale for each query and key and each column of values. For
    /// inputs that come from quantized layers: the loss is small beside theirs.
    Int8,
}

impl Precision {
    /// The precision for inputs from layers with this quantization, if any. ONNX's
    /// own quantized graphs, which have a scale per tensor, multiply in floats.
    pub fn after(quantization: Option<Granularity>) -> Self {
        match quantization {
            Some(Granularity::Row) => Self::Int8,
            _ => Self::Fp32,
        }
    }
}

/// Norms of heads, each for all heads of its kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadNorms<'a> {
    /// Of queries, if they have one.
    pub queries: Option<HeadNorm<'a>>,
    /// Of keys, if they have one.
    pub keys: Option<HeadNorm<'a>>,
}

/// RMS normalization (Zhang and Sennrich, 2019) of the columns of a head:
/// `x / sqrt(mean(x^2) + epsilon) * scale`.
#[derive(Clone, Copy, Debug)]
pub struct HeadNorm<'a> {
    /// One for each column of a head.
    pub scale: &'a [f32],
    /// Added to the mean of the squares.
    pub epsilon: f32,
}

/// What is added to the scores of all texts, such as a bias by relative position
/// (Raffel et al., 2020). A score and its bias are natural logarithms; keys with a
/// bias below -2e38 are hidden, as masked ones are.
#[derive(Clone, Copy, Debug)]
pub struct Bias<'a> {
    /// The numbers, in the form below.
    pub values: &'a [f32],
    /// As many as queries have, or 1 for the same bias in all.
    pub heads: usize,
    /// What the numbers are for.
    pub form: BiasForm,
}

/// The axes of a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BiasForm {
    /// `[heads, length, length]`, a number for each query and key.
    Full,
    /// `[heads, 2 * length - 1]`, by the position of the key less that of the query,
    /// plus `length - 1`.
    Relative,
}

impl BiasForm {
    /// How many numbers a head has.
    fn size(self, length: usize) -> usize {
        match self {
            Self::Full => length * length,
            Self::Relative => (2 * length).saturating_sub(1),
        }
    }
}

impl<'a> Bias<'a> {
    /// A bias for texts of `length` tokens, of as many heads as there are numbers
    /// for. `None` if those of the last head are not complete.
    pub fn new(values: &'a [f32], form: BiasForm, length: usize) -> Option<Self> {
        let heads = values.len().checked_div(form.size(length)).unwrap_or(1);
        let bias = Self {
            values,
            heads,
            form,
        };
        (bias.size(length) == values.len()).then_some(bias)
    }

    /// How many numbers a bias has.
    pub(super) fn size(&self, length: usize) -> usize {
        self.heads * self.form.size(length)
    }
}

/// Rotary embedding (Su et al., 2021): rotates pairs of columns by angles that depend
/// on the position.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Cosines, `[length, columns]`.
    pub cos: &'a [f32],
    /// Sines, `[length, columns]`.
    pub sin: &'a [f32],
    /// How many columns of each head are rotated, an even number: the first ones.
    pub columns: usize,
    /// Whether pairs are neighbours, rather than a column of each half.
    pub interleaved: bool,
}

impl Rotation<'_> {
    /// Rotates the row of a head at `position`.
    #[inline(always)]
    pub fn rotate(&self, row: &mut [f32], position: usize) {
        let columns = self.columns;
        let row = &mut row[..columns];
        let angles = position * columns..(position + 1) * columns;
        let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
        let half = columns / 2;
        if self.interleaved {
            for at in 0..half {
                let (left, right) = (2 * at, 2 * at + 1);
                let (x, y) = (row[left], row[right]);
                row[left] = x * cos[left] - y * sin[left];
                row[right] = y * cos[right] + x * sin[right];
            }
            return;
        }
        let (lefts, rights) = row.split_at_mut(half);
        for (at, (left, right)) in lefts.iter_mut().zip(rights).enumerate() {
            let (x, y) = (*left, *right);
            *left = x * cos[at] - y * sin[at];
            *right = y * cos[at + half] + x * sin[at + half];
        }
    }
}
