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
    /// As the model's files say; L2 where they say nothing.
    #[default]
    Model,
    /// Divide each row by its L2 norm, so that dot products are cosines.
    L2,
    /// Keep the output of the model's last projection.
    Off,
}

/// A row with a value that is NaN or infinite.
pub struct NonFiniteRow {
    pub(crate) row: usize,
    pub(crate) norm: f32,
}

impl Normalization {
    /// What bounds norms from below, as in `torch.nn.functional.normalize`.
    pub(crate) const SMALLEST_NORM: f32 = 1e-12;

    /// Either of L2 and off, of which `model` is what the model's files say.
    #[must_use]
    pub fn resolve(self, model: Self) -> Self {
        match (self, model) {
            (Self::Model, Self::Off) => Self::Off,
            (Self::Model, _) => Self::L2,
            (chosen, _) => chosen,
        }
    }

    /// Finishes the rows of a text. Fails at the first whose norm is not finite.
    pub(crate) fn apply(self, matrix: &mut Array2<f32>) -> Result<(), NonFiniteRow> {
        for (at, mut row) in matrix.rows_mut().into_iter().enumerate() {
            let norm = row.dot(&row).sqrt();
            let is_finite = match self {
                Self::L2 | Self::Model => norm.is_finite(),
                // The squares of finite values may add up to infinity.
                Self::Off => norm.is_finite() || row.iter().all(|value| value.is_finite()),
            };
            if !is_finite {
                return Err(NonFiniteRow { row: at, norm });
            }
            if self != Self::Off {
                row /= norm.max(Self::SMALLEST_NORM);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rows_that_are_not_finite_are_found() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for normalization in [Normalization::L2, Normalization::Off] {
                let mut matrix = array![[3., 4.], [1., value], [value, 1.]];
                let found = normalization.apply(&mut matrix).err();
                let found = found.expect("the second row is not finite");
                assert_eq!(found.row, 1);
                assert!(!found.norm.is_finite());
            }
        }
    }

    #[test]
    fn finite_rows_are_scaled_or_kept() {
        let rows = array![[3., 4.], [0., 0.]];
        let mut scaled = rows.clone();
        assert!(Normalization::L2.apply(&mut scaled).is_ok());
        assert_eq!(scaled, array![[0.6, 0.8], [0., 0.]]);
        let large = array![[1e30, 1e30]];
        let mut kept = large.clone();
        assert!(Normalization::Off.apply(&mut kept).is_ok());
        assert_eq!(kept, large);
    }
}
