//! The layers of a graph whose weights can be quantized.

use std::collections::HashSet;

use crate::onnx::{FLOAT, NodeProto, TensorProto};
use crate::{Error, Result};
use crate::{Graph, Values, has_subgraph};
use multivec_kernels::MAX_INT8_INNER;

/// The first version of the standard operators with `DynamicQuantizeLinear`.
const FIRST_OPSET: i64 = 11;
/// Smaller tensors stay: nodes for their scales would cost more than they
/// save.
const FEWEST_WEIGHTS: usize = 1 << 10;

/// What weights are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayerKind {
    /// A product of rows and a matrix.
    Product,
    /// A table that token ids are looked up in.
    Embedding,
}

/// Whether a matrix is held as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orientation {
    Plain,
    Transposed,
}

impl Orientation {
    fn turned(self) -> Self {
        match self {
            Self::Plain => Self::Transposed,
            Self::Transposed => Self::Plain,
        }
    }
}

/// Weights, and the nodes that read them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layer {
    /// The name of the first node that reads the weights.
    pub name: String,
    /// What the weights are used for.
    pub kind: LayerKind,
    /// `[inner, outer]` of a product, `[ids, columns]` of a table.
    pub shape: [usize; 2],
    /// The value that holds the weights.
    pub(super) weights: String,
    pub(super) orientation: Orientation,
    /// What the nodes compute.
    pub(super) outputs: Vec<String>,
    /// The rows that a product reads, one an output; none of a table.
    pub(super) rows: Vec<String>,
}

impl Layer {
    /// How many weights there are.
    pub fn weights(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// The tensor of the weights in the graph that the layer was found in.
    pub fn tensor<'g>(&self, graph: &'g Graph) -> Option<&'g TensorProto> {
        Values::new(graph).constant(&self.weights)
    }
}

/// All layers that can be quantized, in order of execution: each `MatMul` and
/// `Gemm` with a constant matrix of floats on the right, and each table that
/// is looked up by what depends on the texts. Tables that are looked up by
/// position stay: they are small, and rotations are among them.
///
/// # Errors
/// [`Error::ModelMismatch`] for a graph that is quantized already, has no such
/// layer, has control flow, or is older than the operators that it would need.
pub fn layers(graph: &Graph, file: &str) -> Result<Vec<Layer>> {
    let refuse = |what: &str, expected: &str, found: String| Error::ModelMismatch {
        file: file.to_owned(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    if let Some(node) = graph.nodes().iter().find(|node| is_quantized(node)) {
        let found = format!("the operator {}", node.operator());
        return Err(refuse("weights", "32-bit floats only", found));
    }
    if let Some(node) = graph.nodes().iter().find(|node| has_subgraph(node)) {
        let found = format!("the operator {}", node.operator());
        return Err(refuse("nodes", "none with control flow", found));
    }
    if graph.opset() < FIRST_OPSET {
        let expected = format!("version {FIRST_OPSET} or newer");
        let found = format!("version {}", graph.opset());
        return Err(refuse("standard operators", &expected, found));
    }
    let found = find(graph);
    match found.is_empty() {
        true => Err(refuse(
            "layers",
            "products with constant matrices of 32-bit floats",
            "none".to_owned(),
        )),
        false => Ok(found),
    }
}

fn is_quantized(node: &NodeProto) -> bool {
    node.op_type.as_deref().is_some_and(|name| {
        matches!(name, "MatMulInteger" | "ConvInteger" | "MatMulNBits")
            || name.starts_with("Q")
            || name.contains("Quantize")
    })
}

fn find(graph: &Graph) -> Vec<Layer> {
    let values = Values::new(graph);
    let of_texts = of_texts(graph);
    let mut layers: Vec<Layer> = Vec::new();
    for node in graph.nodes() {
        let Some(layer) = layer(&values, &of_texts, node) else {
            continue;
        };
        let same = layers.iter_mut().find(|other| {
            (other.kind, other.orientation, &other.weights)
                == (layer.kind, layer.orientation, &layer.weights)
        });
        match same {
            Some(same) => {
                same.outputs.extend(layer.outputs);
                same.rows.extend(layer.rows);
            }
            None => layers.push(layer),
        }
    }
    layers
}

/// The values that depend on what the texts say, not on their shape alone.
fn of_texts(graph: &Graph) -> HashSet<&str> {
    let mut found: HashSet<&str> = graph.free_inputs().collect();
    for node in graph.nodes() {
        let asks_for_shape = node.is("Shape") || node.is("Size");
        if !asks_for_shape && node.input.iter().any(|name| found.contains(name.as_str())) {
            found.extend(node.output.iter().map(String::as_str));
        }
    }
    found
}

fn layer(values: &Values<'_>, of_texts: &HashSet<&str>, node: &NodeProto) -> Option<Layer> {
    let [output] = node.output.as_slice() else {
        return None;
    };
    let operand = |at: usize| node.input.get(at).map(String::as_str);
    let (kind, weights, start) = if node.is("MatMul") {
        (LayerKind::Product, operand(1)?, Orientation::Plain)
    } else if node.is_linear_gemm() {
        let start = match node.int("transB", 0) {
            0 => Orientation::Plain,
            _ => Orientation::Transposed,
        };
        (LayerKind::Product, operand(1)?, start)
    } else if node.is("Gather") && node.int("axis", 0) == 0 && of_texts.contains(operand(1)?) {
        (LayerKind::Embedding, operand(0)?, Orientation::Plain)
    } else {
        return None;
    };
    let (weights, orientation) = held(values, weights, start)?;
    let tensor = values.constant(weights)?;
    let &[rows, columns] = tensor.dims.as_slice() else {
        return None;
    };
    let (rows, columns) = (usize::try_from(rows).ok()?, usize::try_from(columns).ok()?);
    let shape = match orientation {
        Orientation::Plain => [rows, columns],
        Orientation::Transposed => [columns, rows],
    };
    let is_product = kind == LayerKind::Product;
    let fits = tensor.data_type == Some(FLOAT)
        && rows.checked_mul(columns)? >= FEWEST_WEIGHTS
        && (!is_product || shape[0] <= MAX_INT8_INNER)
        && (is_product || orientation == Orientation::Plain);
    let name = node.name.clone().filter(|name| !name.is_empty());
    fits.then(|| Layer {
        name: name.unwrap_or_else(|| output.clone()),
        kind,
        shape,
        weights: weights.to_owned(),
        orientation,
        outputs: vec![output.clone()],
        rows: match is_product {
            true => node.input.first().cloned().into_iter().collect(),
            false => Vec::new(),
        },
    })
}

/// The constant that a value is, and how it is turned on its way.
fn held<'g>(
    values: &Values<'g>,
    value: &'g str,
    start: Orientation,
) -> Option<(&'g str, Orientation)> {
    let (mut value, mut orientation) = (value, start);
    // The graph is acyclic; the bound guards against corrupt ones.
    for _ in 0..8 {
        value = values.before(value, &["Identity"]);
        let Some(turn) = values.made_by(value, "Transpose") else {
            break;
        };
        if !matches!(turn.ints("perm"), None | Some([1, 0])) {
            return None;
        }
        value = turn.input.first()?;
        orientation = orientation.turned();
    }
    Some((value, orientation))
}
