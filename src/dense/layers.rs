//! Modules behind the pooling, with their weights.

use std::sync::Arc;

use ndarray::{Array1, Array2};

use crate::activation::Activation;
use crate::normalization::Normalization;

/// A module of sentence vectors.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    /// `activation(x · weightᵀ + bias) + residual`.
    Dense {
        /// `[out, in]`.
        weight: Array2<f32>,
        /// `[out]`.
        bias: Option<Array1<f32>>,
        activation: Activation,
        residual: LayerResidual,
    },
    Normalize,
}

#[derive(Clone, Debug)]
pub(crate) enum LayerResidual {
    None,
    Input,
    /// `[out, in]`.
    Projected(Array2<f32>),
}

/// Modules in their order; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers(pub(crate) Arc<[Layer]>);

impl Layers {
    /// Columns of the result if the input has `width`.
    pub(crate) fn width(&self, width: usize) -> usize {
        let last = self.0.iter().rev().find_map(|layer| match layer {
            Layer::Dense { weight, .. } => Some(weight.nrows()),
            Layer::Normalize => None,
        });
        last.unwrap_or(width)
    }

    /// Columns that the input has to have, if any.
    pub(crate) fn input_width(&self) -> Option<usize> {
        self.0.iter().find_map(|layer| match layer {
            Layer::Dense { weight, .. } => Some(weight.ncols()),
            Layer::Normalize => None,
        })
    }

    /// Applies the modules to a vector that is as wide as they expect.
    pub(crate) fn apply(&self, vector: Vec<f32>) -> Vec<f32> {
        let mut x = Array1::from(vector);
        for layer in self.0.iter() {
            match layer {
                Layer::Normalize => normalize(&mut x),
                Layer::Dense {
                    weight,
                    bias,
                    activation,
                    residual,
                } => {
                    let mut y = weight.dot(&x);
                    if let Some(bias) = bias {
                        y += bias;
                    }
                    y.mapv_inplace(|value| activation.apply(value));
                    match residual {
                        LayerResidual::None => {}
                        LayerResidual::Input => y += &x,
                        LayerResidual::Projected(weight) => y += &weight.dot(&x),
                    }
                    x = y;
                }
            }
        }
        x.to_vec()
    }
}

fn normalize(vector: &mut Array1<f32>) {
    let norm = vector.dot(vector).sqrt();
    *vector /= norm.max(Normalization::SMALLEST_NORM);
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn layers_follow_each_other() {
        let dense = Layer::Dense {
            weight: array![[1., 2.], [0., -1.], [3., 0.]],
            bias: Some(array![1., 0., -3.]),
            activation: Activation::Relu,
            residual: LayerResidual::None,
        };
        let layers = Layers(vec![dense, Layer::Normalize].into());
        assert_eq!(layers.width(2), 3);
        assert_eq!(layers.input_width(), Some(2));
        // [1 + 2 + 1, -1, 3 - 3], then without negative values.
        assert_eq!(layers.apply(vec![1., 1.]), [1., 0., 0.]);
    }

    #[test]
    fn residuals_are_added_after_the_activation() {
        let dense = |residual| {
            Layers(
                vec![Layer::Dense {
                    weight: array![[0., 1.], [1., 0.]],
                    bias: None,
                    activation: Activation::Tanh,
                    residual,
                }]
                .into(),
            )
        };
        let (x, y) = (2f32.tanh(), 3f32.tanh());
        let found = dense(LayerResidual::Input).apply(vec![3., 2.]);
        assert_eq!(found, [x + 3., y + 2.]);
        let projected = LayerResidual::Projected(array![[2., 0.], [0., 2.]]);
        assert_eq!(dense(projected).apply(vec![3., 2.]), [x + 6., y + 4.]);
    }
}
