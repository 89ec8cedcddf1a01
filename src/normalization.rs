//! Rows of unit length.

use ndarray::Array2;

/// Whether rows are scaled to unit length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Normalization {
    /// Divide each row by its L2 norm, so that dot products are cosines.
    #[default]
    L2,
    /// Keep the output of the model's last projection.
    Off,
}

impl Normalization {
    pub(crate) fn apply(self, matrix: &mut Array2<f32>) {
        if self == Self::Off {
            return;
        }
        for mut row in matrix.rows_mut() {
            // The lower bound is that of `torch.nn.functional.normalize`.
            let norm = row.dot(&row).sqrt().max(1e-12);
            row /= norm;
        }
    }
}
