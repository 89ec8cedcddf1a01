//! Products of rows and a constant matrix.

use super::super::super::Graph;
use super::super::super::onnx::{FLOAT, INT8, NodeProto, TensorProto, UINT8};
use super::super::Links;
use super::other;
use multivec_kernels::MAX_INT8_INNER;

/// A product with a constant matrix. Names are empty where there is nothing.
#[derive(Default)]
pub(super) struct Matrix<'g> {
    pub(super) x: &'g str,
    /// What columns of `x` are multiplied by.
    pub(super) smoothing: &'g str,
    pub(super) weights: &'g str,
    /// Whether weights are `[outer, inner]`.
    pub(super) transposed: bool,
    pub(super) scales: &'g str,
    pub(super) zeros: &'g str,
    pub(super) bias: &'g str,
    pub(super) output: &'g str,
}

/// Where products are looked for.
pub(super) struct Site<'s, 'g> {
    pub(super) graph: &'g Graph,
    pub(super) links: &'s Links<'g>,
}

impl<'g> Site<'_, 'g> {
    /// The matrix that a product is with, if it is one of rows and weights.
    pub(super) fn matrix(&self, product: &'g NodeProto) -> Option<Matrix<'g>> {
        match product.op_type.as_deref()? {
            "MatMul" if product.is("MatMul") => self.floats(product),
            "Gemm" => self.general(product),
            "MatMulInteger" if product.is("MatMulInteger") => self.integers(product),
            _ => None,
        }
    }

    fn floats(&self, product: &'g NodeProto) -> Option<Matrix<'g>> {
        let [x, weights] = product.input.as_slice() else {
            return None;
        };
        // Some exporters keep weights as PyTorch has them, and turn them.
        let turned = self.links.producer(weights).filter(|node| {
            node.is("Transpose") && node.ints("perm").is_none_or(|axes| *axes == [1, 0])
        });
        let weights = turned.map_or(Some(weights), |node| node.input.first())?;
        self.constant(weights)
            .filter(|tensor| has_type(tensor, &[FLOAT]))?;
        Some(Matrix {
            x,
            weights,
            transposed: turned.is_some(),
            output: product.output.first()?,
            ..Matrix::default()
        })
    }

    /// The general product of two matrices and a sum.
    fn general(&self, product: &'g NodeProto) -> Option<Matrix<'g>> {
        let [x, weights, bias @ ..] = product.input.as_slice() else {
            return None;
        };
        let transposed = product.int("transB", 0) != 0;
        let tensor = self.constant(weights)?;
        let outer = *tensor.dims.get(usize::from(!transposed))?;
        let bias = bias.first().map_or("", String::as_str);
        let fits = bias.is_empty() || self.is_row(bias, outer);
        (product.is_linear_gemm() && fits && has_type(tensor, &[FLOAT])).then_some(())?;
        Some(Matrix {
            x,
            weights,
            transposed,
            bias,
            output: product.output.first()?,
            ..Matrix::default()
        })
    }

    /// Whether a value is a constant of so many columns.
    pub(super) fn is_row(&self, name: &str, columns: i64) -> bool {
        self.constant(name).is_some_and(|tensor| {
            has_type(tensor, &[FLOAT]) && (tensor.dims == [columns] || tensor.dims == [1, columns])
        })
    }

    /// The chain that exporters write for dynamic quantization.
    fn integers(&self, product: &'g NodeProto) -> Option<Matrix<'g>> {
        let links = self.links;
        let [levels, weights, zeros @ ..] = product.input.as_slice() else {
            return None;
        };
        let quantized = links
            .producer(levels)
            .filter(|node| node.is("DynamicQuantizeLinear"))?;
        let [_, row_scale, row_zero] = quantized.output.as_slice() else {
            return None;
        };
        let tensor = self
            .constant(weights)
            .filter(|tensor| has_type(tensor, &[INT8, UINT8]))?;
        let &[inner, outer] = tensor.dims.as_slice() else {
            return None;
        };
        if inner > MAX_INT8_INNER as i64 || zeros.first() != Some(row_zero) {
            return None;
        }
        let zeros = match zeros.get(1).map_or("", String::as_str) {
            "" => "",
            name => {
                let zeros = self.constant(name)?;
                let fits = zeros.data_type == tensor.data_type && is_per_column(zeros, outer);
                fits.then_some(name)?
            }
        };
        // To floats, times both scales.
        let sums = links.reader(product.output.first()?)?;
        if !sums.is("Cast") || sums.int("to", 0) != i64::from(FLOAT) {
            return None;
        }
        let sums = sums.output.first()?;
        let scaled = links.reader(sums).filter(|node| node.is("Mul"))?;
        let factor = links
            .producer(other(&scaled.input, sums)?)
            .filter(|node| node.is("Mul"))?;
        let scales = other(&factor.input, row_scale)?;
        self.constant(scales)
            .filter(|tensor| has_type(tensor, &[FLOAT]) && is_per_column(tensor, outer))?;
        let (x, smoothing) = self.smoothed(quantized.input.first()?, inner);
        Some(Matrix {
            x,
            smoothing,
            weights,
            scales,
            zeros,
            output: scaled.output.first()?,
            ..Matrix::default()
        })
    }

    /// Rows, and what their columns are multiplied by.
    fn smoothed(&self, rows: &'g str, columns: i64) -> (&'g str, &'g str) {
        let product = self.links.producer(rows).filter(|node| node.is("Mul"));
        let factors = product.and_then(|node| match node.input.as_slice() {
            [x, factors] if self.is_row(factors, columns) => Some((x, factors)),
            [factors, x] if self.is_row(factors, columns) => Some((x, factors)),
            _ => None,
        });
        factors.map_or((rows, ""), |(x, factors)| (x.as_str(), factors.as_str()))
    }

    /// A tensor of the model itself.
    pub(super) fn constant(&self, name: &str) -> Option<&'g TensorProto> {
        super::super::constant(self.graph, self.links, name)
    }
}

fn has_type(tensor: &TensorProto, types: &[i32]) -> bool {
    tensor.data_type.is_some_and(|found| types.contains(&found))
}

/// Whether there is one for all columns, or one for each.
fn is_per_column(tensor: &TensorProto, columns: i64) -> bool {
    match tensor.dims.as_slice() {
        [] => true,
        &[count] => count == 1 || count == columns,
        _ => false,
    }
}
