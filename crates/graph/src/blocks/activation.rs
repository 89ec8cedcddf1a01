//! Activation functions.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use crate::builder::Builder;

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Identity,
    Gelu,
    /// GELU, approximated by a hyperbolic tangent.
    GeluTanh,
    Relu,
    Silu,
    Tanh,
}

impl Activation {
    /// The names in `config.json` that [`named`](Self::named) knows.
    pub(crate) const NAMES: &str =
        "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, silu or swish";

    /// The function of that name in `config.json`.
    ///
    /// Source: transformers, `activations.py`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gelu" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "relu" => Self::Relu,
            "silu" | "swish" => Self::Silu,
            _ => return None,
        })
    }

    /// The function of a class of PyTorch, by its full name.
    pub(crate) fn of_class(path: &str) -> Option<Self> {
        let class = path.strip_prefix("torch.nn.")?.rsplit('.').next()?;
        Some(match class {
            "Identity" => Self::Identity,
            "GELU" => Self::Gelu,
            "ReLU" => Self::Relu,
            "SiLU" => Self::Silu,
            "Tanh" => Self::Tanh,
            _ => return None,
        })
    }

    /// Adds the nodes that compute it.
    pub(crate) fn apply(self, builder: &mut Builder, x: &str) -> String {
        match self {
            Self::Identity => x.to_owned(),
            Self::Relu => builder.add("Relu", &[x]),
            Self::Tanh => builder.add("Tanh", &[x]),
            Self::Silu => {
                let gate = builder.add("Sigmoid", &[x]);
                builder.add("Mul", &[x, &gate])
            }
            Self::Gelu => {
                let factor = builder.float(FRAC_1_SQRT_2);
                let scaled = builder.add("Mul", &[x, &factor]);
                let curve = builder.add("Erf", &[&scaled]);
                by_half(builder, x, &curve)
            }
            Self::GeluTanh => {
                let three = builder.float(3.);
                let cube = builder.add("Pow", &[x, &three]);
                let factor = builder.float(0.044_715);
                let cubic = builder.add("Mul", &[&cube, &factor]);
                let sum = builder.add("Add", &[x, &cubic]);
                let factor = builder.float((2. / PI).sqrt());
                let scaled = builder.add("Mul", &[&sum, &factor]);
                let curve = builder.add("Tanh", &[&scaled]);
                by_half(builder, x, &curve)
            }
        }
    }
}

/// `x * (1 + curve) / 2`
fn by_half(builder: &mut Builder, x: &str, curve: &str) -> String {
    let one = builder.float(1.);
    let sum = builder.add("Add", &[curve, &one]);
    let product = builder.add("Mul", &[x, &sum]);
    let half = builder.float(0.5);
    builder.add("Mul", &[&product, &half])
}
