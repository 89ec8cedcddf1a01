//! Products of rows, by the kernels of this machine.

use multivec_kernels::{MaxSim, QueryFormat};
use ndarray::Array2;

/// The dot products of all rows with all others, `[rows, others]`. Both are whole rows
/// of `dim` numbers.
pub(crate) fn products(rows: &[f32], others: &[f32], dim: usize) -> Array2<f32> {
    let count = |values: &[f32]| values.len().checked_div(dim).unwrap_or(0);
    // The others are packed, so that products are in the order of the result.
    let packed = MaxSim::new(&[others], dim, QueryFormat::Floats);
    let mut products = Array2::zeros((count(rows), count(others)));
    if let Some(out) = products.as_slice_mut() {
        packed.products(rows, out);
    }
    products
}
