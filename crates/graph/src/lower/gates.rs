//! Two layers whose outputs are multiplied, packed as a gated one.

use super::layer::LoadedLayer;
use multivec_kernels::Activation;

impl LoadedLayer {
    /// Joins a layer with an activation function and the one that its output is
    /// multiplied by. `None` if they differ in more than weights, scales, zero
    /// points and bias.
    pub(super) fn gated(mut activated: Self, factor: Self) -> Option<Self> {
        let Activation::Each(function) = activated.activation else {
            return None;
        };
        activated.activation = Activation::NONE;
        let is_halved = activated.outer == factor.outer;
        let joined = Self::join(&[activated, factor]).filter(|_| is_halved)?;
        Some(Self {
            activation: Activation::Gated(function),
            ..joined
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::layer::{LoadedWeights, QuantizedWeights};
    use super::super::{Layers, pack_linears};
    use super::*;
    use crate::node::{floats_node, node};
    use crate::operators::{DOMAIN, LINEAR};
    use crate::testing;
    use multivec_kernels::{Activations, Function, Serial, WeightType, sample};

    const INNER: usize = 24;
    const OUTER: usize = 19;

    fn layer(activation: Activation, weights: LoadedWeights) -> LoadedLayer {
        LoadedLayer {
            inner: INNER,
            outer: OUTER,
            weights,
            smoothing: Vec::new(),
            bias: Vec::new(),
            activation,
        }
    }

    fn numbers(skipped: usize, count: usize) -> Vec<f32> {
        let numbers = sample::numbers().skip(skipped).take(count);
        numbers
            .map(|number| number as f32 / sample::LIMIT as f32 - 0.5)
            .collect()
    }

    fn quantized(skipped: usize, scales: Vec<f32>, zero_points: &[u8]) -> LoadedWeights {
        let bytes = numbers(skipped, INNER * OUTER);
        let bytes: Vec<u8> = bytes.into_iter().map(|x| (x * 200.) as i8 as u8).collect();
        LoadedWeights::Integers(QuantizedWeights {
            bytes: bytes.into(),
            weight_type: WeightType::Int8,
            scales,
            zero_points: zero_points.to_vec().into(),
        })
    }

    fn run(layer: &LoadedLayer, rows: &[f32]) -> Vec<f32> {
        let packed = layer.pack().expect("sizes fit");
        let mut out = vec![f32::NAN; rows.len() / INNER * packed.outer()];
        packed.run(Activations::by_row(rows), None, &mut out, &Serial);
        out
    }

    #[test]
    fn a_gated_layer_computes_the_product_of_both() {
        let rows = numbers(7, INNER * 5);
        let floats = |skipped| LoadedWeights::Floats(numbers(skipped, INNER * OUTER));
        let scales: Vec<f32> = (0..OUTER).map(|at| 0.01 + at as f32 * 1e-3).collect();
        let bias = numbers(3, OUTER);
        for function in [Function::Silu, Function::Relu, Function::GeluTanh] {
            let layers = |are_quantized: usize| match are_quantized {
                0 => [floats(100), floats(900)],
                // One scale and no zero point, and one for each column.
                _ => [
                    quantized(100, vec![0.02], &[]),
                    quantized(900, scales.clone(), &[3; OUTER]),
                ],
            };
            for are_quantized in 0..2 {
                let pair = || {
                    let [activated, factor] = layers(are_quantized);
                    let activated = layer(Activation::Each(function), activated);
                    let factor = layer(Activation::NONE, factor);
                    (
                        activated,
                        LoadedLayer {
                            bias: bias.clone(),
                            ..factor
                        },
                    )
                };
                let (activated, factor) = pair();
                let expected = [run(&activated, &rows), run(&factor, &rows)];
                let gated = LoadedLayer::gated(activated, factor).expect("they fit");
                let found = run(&gated, &rows);
                assert_eq!(found.len(), expected[0].len());
                for (at, found) in found.iter().enumerate() {
                    let expected = expected[0][at] * expected[1][at];
                    assert!((found - expected).abs() <= 1e-5, "{found} {expected}");
                }
                // A layer that is gated itself.
                for other in [
                    Activation::Gated(function),
                    Activation::Gated(Function::Gelu),
                ] {
                    let (activated, factor) = pair();
                    let activated = LoadedLayer {
                        activation: other,
                        ..activated
                    };
                    assert!(LoadedLayer::gated(activated, factor).is_none());
                }
            }
        }
        let mixed = LoadedLayer::gated(
            layer(Activation::Each(Function::Silu), floats(1)),
            layer(Activation::NONE, quantized(1, vec![0.1], &[])),
        );
        assert!(mixed.is_none());
    }

    #[test]
    fn two_layers_are_packed_as_one() {
        let linear = |weights, output, activation| {
            node(LINEAR, DOMAIN, &["x", weights], &[output]).with_string("activation", activation)
        };
        let nodes = vec![
            linear("gate", "g", "silu"),
            linear("up", "u", "none"),
            node("Mul", "", &["u", "g"], &["out"]),
        ];
        let mut graph = testing::graph(&["x"], nodes, &["out"]);
        for (name, skipped) in [("gate", 100), ("up", 900)] {
            let values = floats_node(name, &numbers(skipped, INNER * OUTER));
            let mut tensor = values.attribute[0].t.clone().expect("a tensor");
            tensor.name = Some(name.to_owned());
            tensor.dims = vec![INNER as i64, OUTER as i64];
            graph.proto_mut().initializer.push(tensor);
        }
        let external = |_: &_| unreachable!("no tensor is in another file");
        let packed = pack_linears(&mut graph, Layers::All, "model", &external);
        let packed = packed.expect("sizes fit");
        assert_eq!((packed.len(), packed[0].outer()), (1, OUTER));
        let [node] = graph.nodes() else {
            panic!("expected one node, found {:?}", graph.nodes());
        };
        assert_eq!(
            (node.input.concat(), node.output.concat()),
            ("x".into(), "out".into())
        );
        assert_eq!(node.int("outer", 0), OUTER as i64);
        assert!(graph.initializers().is_empty());
    }
}
