//! What follows the product of a linear layer.

use super::super::super::onnx::NodeProto;
use super::super::super::trace::{Tensor, Trace};
use super::{BATCH, LENGTH, Links, other};
use multivec_kernels::sample;

/// What follows the product, as far as it is known.
pub(super) struct Layer<'g> {
    pub(super) output: &'g str,
    pub(super) bias: &'g str,
    pub(super) residual: &'g str,
    pub(super) activation: &'static str,
}

impl<'g> Layer<'g> {
    pub(super) fn activate(&mut self, links: &Links<'g>, trace: &Trace<'_>, outer: usize) {
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

    pub(super) fn add_residual(&mut self, links: &Links<'g>, trace: &Trace<'_>) {
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
pub(super) fn added<'g>(links: &Links<'g>, value: &str) -> Option<(&'g str, &'g str)> {
    let sum = links.reader(value).filter(|node| node.is("Add"))?;
    Some((other(&sum.input, value)?, sum.output.first()?))
}

fn is_gelu(node: &NodeProto) -> bool {
    node.is_ours("Gelu")
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
