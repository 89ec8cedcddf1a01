//! Linear layers with 8-bit weights, and what is computed on the way out.

use super::super::Graph;
use super::super::node::node;
use super::super::onnx::{FLOAT, INT8, NodeProto, TensorProto, UINT8};
use super::super::trace::{Tensor, Trace};
use super::{BATCH, DOMAIN, LENGTH, Links, Replacement};
use crate::sample;

/// The largest layer that a kernel takes, see `kernels::Layer`.
const MOST_ROWS: i64 = 1 << 14;

/// `QuantizedLinear` in place of the nodes around a `MatMulInteger` of
/// dynamically quantized rows and constant weights.
///
/// `QuantizedLinear(x, weights, scales, zero_points?, bias?, residual?)`:
/// `activation(x @ ((weights - zero_points) * scales) + bias) + residual`. Rows
/// are `[..., inner]`, weights `[inner, outer]` of 8 bits; scales and zero
/// points are one for all or one a column. Attribute: `activation`, one of
/// `none`, `gelu`, `gelu_tanh`, `gated_gelu` and `gated_gelu_tanh`; a gate
/// multiplies the activation of the first half of the columns by the second.
///
/// Rows are quantized each by its own range, which the published graph does
/// all at once; see `kernels::Granularity`.
pub(super) fn find(
    graph: &Graph,
    links: &Links<'_>,
    trace: &Trace<'_>,
    product: &NodeProto,
) -> Option<Replacement> {
    if !product.is("MatMulInteger") {
        return None;
    }
    let [levels, weights, zeros @ ..] = product.input.as_slice() else {
        return None;
    };
    let quantized = links
        .producer(levels)
        .filter(|node| node.is("DynamicQuantizeLinear"))?;
    let [_, row_scale, row_zero] = quantized.output.as_slice() else {
        return None;
    };
    let x = quantized.input.first()?;
    let constant = |name: &str| constant(graph, links, name);
    let matrix = constant(weights).filter(|tensor| has_type(tensor, &[INT8, UINT8]))?;
    let &[inner, outer] = matrix.dims.as_slice() else {
        return None;
    };
    if !(1..=MOST_ROWS).contains(&inner) || trace.shape(x)?.last() != Some(&(inner as usize)) {
        return None;
    }
    if zeros.first().map(String::as_str) != Some(row_zero.as_str()) {
        return None;
    }
    let weight_zeros = match zeros.get(1).map_or("", String::as_str) {
        "" => "",
        name => {
            let tensor = constant(name).filter(|tensor| tensor.data_type == matrix.data_type)?;
            is_per_column(tensor, outer).then_some(name)?
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
    let is_scale =
        |tensor: &&TensorProto| has_type(tensor, &[FLOAT]) && is_per_column(tensor, outer);
    constant(scales).filter(is_scale)?;

    let mut layer = Layer {
        output: scaled.output.first()?,
        bias: "",
        residual: "",
        activation: "none",
    };
    let bias_of = |name: &str| {
        let tensor = constant(name).filter(|tensor| has_type(tensor, &[FLOAT]))?;
        (tensor.dims == [outer]).then_some(())
    };
    if let Some((bias, sum)) = added(links, layer.output)
        && bias_of(bias).is_some()
    {
        layer.bias = bias;
        layer.output = sum;
    }
    layer.activate(links, trace, outer as usize);
    layer.add_residual(links, trace);

    let mut inputs = vec![x, weights, scales, weight_zeros, layer.bias, layer.residual];
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let fused = node("QuantizedLinear", DOMAIN, &inputs, &[layer.output])
        .with_text("activation", layer.activation);
    Some(Replacement {
        output: layer.output.to_owned(),
        nodes: vec![fused],
    })
}

pub(super) fn is_gated(layer: &NodeProto) -> bool {
    layer.text("activation").starts_with("gated")
}

/// What follows the product, as far as it is known.
struct Layer<'g> {
    output: &'g str,
    bias: &'g str,
    residual: &'g str,
    activation: &'static str,
}

impl<'g> Layer<'g> {
    fn activate(&mut self, links: &Links<'g>, trace: &Trace<'_>, outer: usize) {
        if let Some(gelu) = links.reader(self.output).filter(|node| is_gelu(node)) {
            if let Some(output) = gelu.output.first() {
                self.activation = by_tanh(gelu, "gelu_tanh", "gelu");
                self.output = output;
            }
        } else if let Some((activation, output)) = gate(links, trace, self.output, outer) {
            self.activation = activation;
            self.output = output;
        }
    }

    fn add_residual(&mut self, links: &Links<'g>, trace: &Trace<'_>) {
        let Some((residual, sum)) = added(links, self.output) else {
            return;
        };
        let shape = trace.shape(self.output);
        if shape.is_some() && trace.is_opaque(residual) && trace.shape(residual) == shape {
            self.residual = residual;
            self.output = sum;
        }
    }
}

/// What is added to a value that nobody else reads, and the sum.
fn added<'g>(links: &Links<'g>, value: &str) -> Option<(&'g str, &'g str)> {
    let sum = links.reader(value).filter(|node| node.is("Add"))?;
    Some((other(&sum.input, value)?, sum.output.first()?))
}

fn is_gelu(node: &NodeProto) -> bool {
    node.domain.as_deref() == Some(DOMAIN) && node.op_type.as_deref() == Some("Gelu")
}

fn by_tanh(gelu: &NodeProto, tanh: &'static str, erf: &'static str) -> &'static str {
    match gelu.text("approximate") {
        "tanh" => tanh,
        _ => erf,
    }
}

/// The product of one half of the columns of `value` and the GELU of the
/// other one, and its output. How the halves are cut out, a replay shows.
fn gate<'g>(
    links: &Links<'g>,
    trace: &Trace<'_>,
    value: &str,
    outer: usize,
) -> Option<(&'static str, &'g str)> {
    let half = outer / 2;
    // Cut by one node, or by two; that others ask for the shape is no matter.
    let readers = links.readers(value).iter();
    let readers: Vec<_> = readers.map(|&at| links.node(at)).collect::<Option<_>>()?;
    let cuts = || readers.iter().filter(|node| !node.is("Shape"));
    let halves = || cuts().flat_map(|cut| &cut.output);
    if halves().count() != 2 || trace.shape(value)? != [BATCH, LENGTH, 2 * half] {
        return None;
    }
    let gelu = halves().find_map(|half| links.reader(half).filter(|node| is_gelu(node)))?;
    let activated = gelu.output.first()?;
    let product = links.reader(activated).filter(|node| node.is("Mul"))?;
    let gate = other(&product.input, activated)?;
    links.reader(gate)?;
    let left = gelu.input.first()?;
    if !halves().any(|half| half == gate) || left == gate {
        return None;
    }
    let numbers: Vec<f32> = sample::numbers()
        .take(BATCH * LENGTH * outer)
        .map(|number| number as f32)
        .collect();
    let shape = [BATCH, LENGTH, outer];
    let is_half = |name: &str, start: usize| {
        let base = Tensor::from_floats_of(&shape, &numbers)?;
        let found = trace.replay(name, value, base)?;
        let expected = numbers
            .chunks_exact(outer)
            .flat_map(|row| row[start..start + half].iter().copied());
        let is_shape = found.shape() == [BATCH, LENGTH, half];
        (is_shape && expected.eq(found.floats()?)).then_some(())
    };
    is_half(left, 0)?;
    is_half(gate, half)?;
    let activation = by_tanh(gelu, "gated_gelu_tanh", "gated_gelu");
    Some((activation, product.output.first()?))
}

/// A tensor of the model itself.
fn constant<'g>(graph: &'g Graph, links: &Links<'_>, name: &str) -> Option<&'g TensorProto> {
    let tensor = graph.initializer(name)?;
    links.producer(name).is_none().then_some(tensor)
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

/// Of two operands the one that is not the other.
fn other<'a>(inputs: &'a [String], one: &str) -> Option<&'a String> {
    super::layer_norm::other(inputs, one)
}
