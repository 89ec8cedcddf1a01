//! Linear layers, with what follows their products.

mod epilogue;
mod pooled;
mod product;

use super::Replacement;
use crate::onnx::NodeProto;
use crate::operators::{DOMAIN, LINEAR};
use crate::trace::Trace;
use epilogue::{Epilogue, Half, added};
use multivec_kernels::Activation;
pub(super) use pooled::pool;
use product::{is_row, product};

/// [`LINEAR`] in place of the nodes around a product of rows and constant
/// weights.
///
/// With 8-bit weights, each row is quantized by its own range. The original
/// graph quantizes all rows by one range; see `multivec_kernels::Granularity`.
pub(super) fn find(trace: &Trace<'_>, node: &NodeProto) -> Option<Replacement> {
    let product = product(trace.index(), node)?;
    let [inner, outer] = product.shape;
    let [rows, columns] = [usize::try_from(inner).ok()?, usize::try_from(outer).ok()?];
    if rows == 0 || columns == 0 || trace.shape(product.x)?.last() != Some(&rows) {
        return None;
    }
    let mut epilogue = Epilogue {
        output: product.output,
        bias: product.bias,
        residual: "",
        activation: Activation::NONE,
        activated: Half::First,
    };
    if epilogue.bias.is_empty()
        && let Some(sum) = added(trace.index(), epilogue.output)
        && is_row(trace.index(), sum.operand, outer)
    {
        epilogue.bias = sum.operand;
        epilogue.output = sum.output;
    }
    epilogue.add_activation(trace, columns);
    epilogue.add_residual(trace);

    let mut inputs = vec![
        product.x,
        product.weights,
        product.scales,
        product.zero_points,
        epilogue.bias,
        epilogue.residual,
        product.smoothing,
    ];
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let mut fused = crate::node::node(LINEAR, DOMAIN, &inputs, &[epilogue.output])
        .with_string("activation", &epilogue.activation.to_string());
    if epilogue.activated == Half::Second {
        fused = fused.with_int("activated", 1);
    }
    if product.transposed {
        fused = fused.with_int("transposed", 1);
    }
    Some(Replacement {
        output: epilogue.output.to_owned(),
        nodes: vec![fused],
    })
}

pub(super) fn is_gated(layer: &NodeProto) -> bool {
    layer.string("activation").starts_with("gated")
}
