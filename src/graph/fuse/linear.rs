//! Linear layers, and what is computed on the way out.

use super::super::Graph;
use super::super::node::node;
use super::super::onnx::{FLOAT, INT8, NodeProto, TensorProto, UINT8};
use super::super::trace::{Tensor, Trace};
use super::{BATCH, DOMAIN, LENGTH, Links, Replacement};
use crate::sample;

/// The largest layer that a kernel takes, see `kernels::Layer`.
const MOST_ROWS: i64 = 1 << 14;

/// `Linear` in place of the nodes around a product of rows and constant
/// weights.
///
/// `Linear(x, weights, scales?, zero_points?, bias?, residual?)`:
/// `activation(x @ weights + bias) + residual`. Rows are `[..., inner]`, weights
/// `[inner, outer]` of floats, or of 8 bits where there are scales: then the
/// matrix is `(weights - zero_points) * scales`, with one scale and zero point
/// for all or one a column. Attribute: `activation`, one of `none`, `gelu`,
/// `gelu_tanh`, `gated_gelu` and `gated_gelu_tanh`; a gate multiplies the
/// activation of the first half of the columns by the second.
///
/// With weights of 8 bits, rows are quantized each by its own range, which the
/// published graph does all at once; see `kernels::Granularity`.
pub(super) fn find(
    graph: &Graph,
    links: &Links<'_>,
    trace: &Trace<'_>,
    product: &NodeProto,
) -> Option<Replacement> {
    let site = Site { graph, links };
    let matrix = match product.op_type.as_deref()? {
        "MatMul" if product.is("MatMul") => site.floats(product)?,
        "MatMulInteger" if product.is("MatMulInteger") => site.integers(product)?,
        _ => return None,
    };
    let &[inner, outer] = site.constant(matrix.weights)?.dims.as_slice() else {
        return None;
    };
    let (inner, outer) = (usize::try_from(inner).ok()?, usize::try_from(outer).ok()?);
    if inner == 0 || outer == 0 || trace.shape(matrix.x)?.last() != Some(&inner) {
        return None;
    }
    let mut layer = Layer {
        output: matrix.output,
        bias: "",
        residual: "",
        activation: "none",
    };
    if let Some((bias, sum)) = added(links, layer.output)
        && let Some(tensor) = site.constant(bias)
        && has_type(tensor, &[FLOAT])
        && tensor.dims == [outer as i64]
    {
        layer.bias = bias;
        layer.output = sum;
    }
    layer.activate(links, trace, outer);
    layer.add_residual(links, trace);

    let mut inputs = vec![
        matrix.x,
        matrix.weights,
        matrix.scales,
        matrix.zeros,
        layer.bias,
        layer.residual,
    ];
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let fused =
        node("Linear", DOMAIN, &inputs, &[layer.output]).with_text("activation", layer.activation);
    Some(Replacement {
        output: layer.output.to_owned(),
        nodes: vec![fused],
    })
}

/// A product with a constant matrix.
struct Matrix<'g> {
    x: &'g str,
    weights: &'g str,
    /// Empty for floats.
    scales: &'g str,
    /// Empty where there is none.
    zeros: &'g str,
    output: &'g str,
}

/// Where products are looked for.
struct Site<'s, 'g> {
    graph: &'g Graph,
    links: &'s Links<'g>,
}

impl<'g> Site<'_, 'g> {
    fn floats(&self, product: &'g NodeProto) -> Option<Matrix<'g>> {
        let [x, weights] = product.input.as_slice() else {
            return None;
        };
        self.constant(weights)
            .filter(|tensor| has_type(tensor, &[FLOAT]))?;
        Some(Matrix {
            x,
            weights,
            scales: "",
            zeros: "",
            output: product.output.first()?,
        })
    }

    /// The chain that exporters write for dynamic quantization.
    fn integers(&self, product: &'g NodeProto) -> Option<Matrix<'g>> {
        let links = self.links;
        let [levels, weights, zeros @ ..] = product.input.as_slice() else {
            return None;
        };
        let quantized = links
            .producer(levels)
            .filter(|node| node.is("DynamicQuantizeLinear"))?;
        let [_, row_scale, row_zero] = quantized.output.as_slice() else {
            return None;
        };
        let tensor = self
            .constant(weights)
            .filter(|tensor| has_type(tensor, &[INT8, UINT8]))?;
        let &[inner, outer] = tensor.dims.as_slice() else {
            return None;
        };
        if inner > MOST_ROWS || zeros.first() != Some(row_zero) {
            return None;
        }
        let zeros = match zeros.get(1).map_or("", String::as_str) {
            "" => "",
            name => {
                let zeros = self.constant(name)?;
                let fits = zeros.data_type == tensor.data_type && is_per_column(zeros, outer);
                fits.then_some(name)?
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
        self.constant(scales)
            .filter(|tensor| has_type(tensor, &[FLOAT]) && is_per_column(tensor, outer))?;
        Some(Matrix {
            x: quantized.input.first()?,
            weights,
            scales,
            zeros,
            output: scaled.output.first()?,
        })
    }

    /// A tensor of the model itself.
    fn constant(&self, name: &str) -> Option<&'g TensorProto> {
        let tensor = self.graph.initializer(name)?;
        self.links.producer(name).is_none().then_some(tensor)
    }
}

pub(super) fn is_quantized(layer: &NodeProto) -> bool {
    layer.input.get(2).is_some_and(|scales| !scales.is_empty())
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
