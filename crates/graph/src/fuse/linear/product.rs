//! Products of rows and a constant matrix.

use crate::index::ValueIndex;
use crate::onnx::{FLOAT, INT8, NodeProto, TensorProto, UINT8};
use multivec_kernels::MAX_INT8_INNER;

/// A product with a constant matrix. Absent parts have an empty name.
#[derive(Default)]
pub(super) struct Product<'g> {
    pub(super) x: &'g str,
    /// Factors of the columns of `x`.
    pub(super) smoothing: &'g str,
    pub(super) weights: &'g str,
    /// `[inner, outer]`
    pub(super) shape: [i64; 2],
    /// Whether weights are `[outer, inner]`.
    pub(super) transposed: bool,
    pub(super) scales: &'g str,
    pub(super) zero_points: &'g str,
    pub(super) bias: &'g str,
    pub(super) output: &'g str,
}

/// The product that `node` computes, or that starts with it, if it is one of
/// rows and weights.
pub(super) fn product<'g>(index: &ValueIndex<'g>, node: &'g NodeProto) -> Option<Product<'g>> {
    if node.is("MatMul") {
        matmul(index, node)
    } else if node.is_linear_gemm() {
        gemm(index, node)
    } else if node.is("MatMulInteger") {
        quantized(index, node)
    } else {
        None
    }
}

fn matmul<'g>(index: &ValueIndex<'g>, node: &'g NodeProto) -> Option<Product<'g>> {
    let [x, weights] = node.input.as_slice() else {
        return None;
    };
    // Some exporters keep weights as PyTorch has them, and transpose them.
    let matrix = index.constant_matrix(weights)?;
    has_type(matrix.tensor, &[FLOAT]).then_some(())?;
    Some(Product {
        x,
        weights: matrix.name,
        shape: shape(matrix.tensor, matrix.transposed)?,
        transposed: matrix.transposed,
        output: node.output.first()?,
        ..Product::default()
    })
}

fn gemm<'g>(index: &ValueIndex<'g>, node: &'g NodeProto) -> Option<Product<'g>> {
    let [x, weights, bias @ ..] = node.input.as_slice() else {
        return None;
    };
    let transposed = node.int("transB", 0) != 0;
    let tensor = index.constant(weights)?;
    let shape = shape(tensor, transposed)?;
    let bias = bias.first().map_or("", String::as_str);
    let fits = bias.is_empty() || is_row(index, bias, shape[1]);
    (fits && has_type(tensor, &[FLOAT])).then_some(())?;
    Some(Product {
        x,
        weights,
        shape,
        transposed,
        bias,
        output: node.output.first()?,
        ..Product::default()
    })
}

/// The chain of nodes that exporters write for dynamic quantization.
fn quantized<'g>(index: &ValueIndex<'g>, node: &'g NodeProto) -> Option<Product<'g>> {
    let [x, weights, zero_points @ ..] = node.input.as_slice() else {
        return None;
    };
    let quantize = index.made_by(x, "DynamicQuantizeLinear")?;
    let [_, x_scale, x_zero_point] = quantize.output.as_slice() else {
        return None;
    };
    let tensor = index
        .constant(weights)
        .filter(|tensor| has_type(tensor, &[INT8, UINT8]))?;
    let [inner, outer] = shape(tensor, false)?;
    if inner > MAX_INT8_INNER as i64 || zero_points.first() != Some(x_zero_point) {
        return None;
    }
    let zero_points = zero_points.get(1).map_or("", String::as_str);
    if !zero_points.is_empty() {
        let zero_points = index.constant(zero_points)?;
        let fits = zero_points.data_type == tensor.data_type && is_per_column(zero_points, outer);
        fits.then_some(())?;
    }
    // The sums are cast to floats, and multiplied by both scales.
    let cast = index.reader(node.output.first()?)?;
    if !cast.is("Cast") || cast.int("to", 0) != i64::from(FLOAT) {
        return None;
    }
    let sums = cast.output.first()?;
    let scaled = index.reader(sums).filter(|node| node.is("Mul"))?;
    let factor = index.made_by(scaled.other_operand(sums)?, "Mul")?;
    let scales = factor.other_operand(x_scale)?;
    index
        .constant(scales)
        .filter(|tensor| has_type(tensor, &[FLOAT]) && is_per_column(tensor, outer))?;
    let (x, smoothing) = smoothed(index, quantize.input.first()?, inner);
    Some(Product {
        x,
        smoothing,
        weights,
        shape: [inner, outer],
        scales,
        zero_points,
        output: scaled.output.first()?,
        ..Product::default()
    })
}

/// Rows and the factors of their columns, if `value` is a product of the two.
fn smoothed<'g>(index: &ValueIndex<'g>, value: &'g str, columns: i64) -> (&'g str, &'g str) {
    let product = index.made_by(value, "Mul");
    match product.map(|node| node.input.as_slice()) {
        Some([x, factors]) if is_row(index, factors, columns) => (x, factors),
        Some([factors, x]) if is_row(index, factors, columns) => (x, factors),
        _ => (value, ""),
    }
}

/// Whether a value is a constant row of floats.
pub(super) fn is_row(index: &ValueIndex<'_>, value: &str, columns: i64) -> bool {
    index.constant(value).is_some_and(|tensor| {
        has_type(tensor, &[FLOAT]) && (tensor.dims == [columns] || tensor.dims == [1, columns])
    })
}

/// `[inner, outer]` of weights.
fn shape(weights: &TensorProto, transposed: bool) -> Option<[i64; 2]> {
    let &[rows, columns] = weights.dims.as_slice() else {
        return None;
    };
    Some(if transposed {
        [columns, rows]
    } else {
        [rows, columns]
    })
}

fn has_type(tensor: &TensorProto, types: &[i32]) -> bool {
    tensor.data_type.is_some_and(|found| types.contains(&found))
}

/// Whether there is one element for all columns, or one for each.
fn is_per_column(tensor: &TensorProto, columns: i64) -> bool {
    match tensor.dims.as_slice() {
        [] => true,
        &[count] => count == 1 || count == columns,
        _ => false,
    }
}
