//! Activation functions in operators of ONNX Runtime.

use crate::builder::Builder;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::CONTRIB_DOMAIN;
use multivec_kernels::Function;

/// Lowers our operator.
pub(super) fn lower(activation: &NodeProto, builder: &mut Builder) {
    let x = activation.input.first().map_or("", String::as_str);
    let function = Function::parse(activation.string("function"));
    let result = apply(function.unwrap_or_default(), x, builder);
    if result == x {
        let copy = builder.add("Identity", &[x]);
        builder.rename(&copy, &activation.output.concat());
    } else {
        builder.rename(&result, &activation.output.concat());
    }
}

/// Adds the nodes that compute a function; returns their result.
pub(super) fn apply(function: Function, x: &str, builder: &mut Builder) -> String {
    match function {
        Function::Identity => x.to_owned(),
        Function::Gelu => contrib("Gelu", x, builder, |node| node),
        Function::GeluTanh => contrib("FastGelu", x, builder, |node| node),
        Function::Silu => quick_gelu(x, 1., builder),
        Function::QuickGelu => quick_gelu(x, 1.702, builder),
        Function::Relu => builder.add("Relu", &[x]),
        Function::ReluSquared => {
            let positive = builder.add("Relu", &[x]);
            builder.add("Mul", &[&positive, &positive])
        }
    }
}

/// `x * sigmoid(slope * x)`
fn quick_gelu(x: &str, slope: f32, builder: &mut Builder) -> String {
    contrib("QuickGelu", x, builder, |node| {
        node.with_float("alpha", slope)
    })
}

fn contrib(
    operator: &str,
    x: &str,
    builder: &mut Builder,
    edit: impl FnOnce(NodeProto) -> NodeProto,
) -> String {
    let output = builder.unique(operator);
    builder.push(edit(node(operator, CONTRIB_DOMAIN, &[x], &[&output])));
    output
}
