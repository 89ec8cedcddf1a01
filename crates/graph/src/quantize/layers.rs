//! The layers of a graph whose weights can be quantized.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::onnx::{FLOAT, NodeProto, TensorProto};
use crate::trace::Trace;
use multivec_kernels::MAX_INT8_INNER;

/// The first version of the standard operators with `DynamicQuantizeLinear`.
const FIRST_OPSET: i64 = 11;
/// Smaller tensors stay: the nodes for their scales would cost more than they
/// save.
const FEWEST_WEIGHTS: usize = 1 << 10;

/// A shape in which rows of texts and of tokens are not as many.
const BATCH: usize = 3;
const LENGTH: usize = 5;

/// What weights are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayerKind {
    /// A product of rows and a matrix.
    Product,
    /// A table in which token ids are looked up.
    Embedding,
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
    /// Whether the weights are held as `[outer, inner]`.
    pub(super) transposed: bool,
    /// The outputs of the nodes.
    pub(super) outputs: Vec<String>,
    /// The rows that the nodes of a product read, in the order of `outputs`.
    pub(super) rows: Vec<String>,
}

impl Layer {
    /// The number of weights.
    pub fn weight_count(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Columns of the tensor as it is stored.
    pub(super) fn stored_width(&self) -> usize {
        self.shape[usize::from(!self.transposed)]
    }

    /// Whether each stored row has a scale of its own, as those of tables and
    /// of transposed matrices do.
    pub(super) fn has_scale_for_stored_row(&self) -> bool {
        self.kind == LayerKind::Embedding || self.transposed
    }

    /// One for each column of a product, or for each row of a table.
    pub(super) fn scale_count(&self) -> usize {
        self.shape[usize::from(self.kind == LayerKind::Product)]
    }

    /// The tensor of the weights, in the graph in which the layer was found.
    pub fn tensor<'g>(&self, graph: &'g Graph) -> Option<&'g TensorProto> {
        ValueIndex::new(graph).constant(&self.weights)
    }
}

/// Finds all layers that can be quantized, in order of execution: each `MatMul`
/// and `Gemm` with a constant matrix of floats on the right, and each table that
/// is looked up by values that depend on the texts. Tables that are looked up by
/// position stay: they are small, and those of rotary embedding are among them. So
/// do products with one row a text, such as those of labels, which take no time.
/// `file` names the model in errors.
///
/// # Errors
/// [`Error::ModelMismatch`] if the graph is already quantized, has no layer that
/// can be quantized, has control flow, or is written for operators older than
/// those of quantization.
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
    if let Some(node) = graph.nodes().iter().find(|node| node.has_subgraph()) {
        let found = format!("the operator {}", node.operator());
        return Err(refuse("nodes", "none with control flow", found));
    }
    if graph.opset() < FIRST_OPSET {
        let expected = format!("version {FIRST_OPSET} or newer");
        let found = format!("version {}", graph.opset());
        return Err(refuse("standard operators", &expected, found));
    }
    let found = find(graph);
    if found.is_empty() {
        let expected = "products with constant matrices of 32-bit floats";
        return Err(refuse("layers", expected, "none".to_owned()));
    }
    Ok(found)
}

fn is_quantized(node: &NodeProto) -> bool {
    node.op_type.as_deref().is_some_and(|name| {
        matches!(name, "MatMulInteger" | "ConvInteger" | "MatMulNBits")
            || (name.starts_with('Q') && name != "QuickGelu")
            || name.contains("Quantize")
    })
}

fn find(graph: &Graph) -> Vec<Layer> {
    let index = ValueIndex::new(graph);
    let text_values = text_values(graph);
    let trace = Trace::unpadded(&index, BATCH, LENGTH);
    let mut layers: Vec<Layer> = Vec::new();
    for node in graph.nodes() {
        let Some(layer) = layer(&index, &text_values, node) else {
            continue;
        };
        if is_of_texts(&trace, &layer) {
            continue;
        }
        let same = layers.iter_mut().find(|other| {
            (other.kind, other.transposed, &other.weights)
                == (layer.kind, layer.transposed, &layer.weights)
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

/// Whether a product reads one row for each text.
fn is_of_texts(trace: &Trace<'_>, layer: &Layer) -> bool {
    let inner = layer.shape[0];
    let mut rows = layer.rows.iter();
    rows.any(|rows| {
        let shape = trace.shape(rows).unwrap_or_default();
        shape == [BATCH, inner] || shape == [BATCH, 1, inner]
    })
}

/// The values that depend on the content of the texts, not only on their shape.
fn text_values(graph: &Graph) -> HashSet<&str> {
    let mut found: HashSet<&str> = graph.free_inputs().collect();
    for node in graph.nodes() {
        let is_shape = node.is("Shape") || node.is("Size");
        if !is_shape && node.input.iter().any(|name| found.contains(name.as_str())) {
            found.extend(node.output.iter().map(String::as_str));
        }
    }
    found
}

fn layer(index: &ValueIndex<'_>, text_values: &HashSet<&str>, node: &NodeProto) -> Option<Layer> {
    let [output] = node.output.as_slice() else {
        return None;
    };
    let input = |at: usize| node.input.get(at).map(String::as_str);
    let (kind, weights) = if node.is("MatMul") || node.is_linear_gemm() {
        (LayerKind::Product, input(1)?)
    } else if node.is("Gather") && node.int("axis", 0) == 0 && text_values.contains(input(1)?) {
        (LayerKind::Embedding, input(0)?)
    } else {
        return None;
    };
    let matrix = index.constant_matrix(weights)?;
    let &[rows, columns] = matrix.tensor.dims.as_slice() else {
        return None;
    };
    let (rows, columns) = (usize::try_from(rows).ok()?, usize::try_from(columns).ok()?);
    let is_gemm_transposed = node.is("Gemm") && node.int("transB", 0) != 0;
    let transposed = matrix.transposed != is_gemm_transposed;
    let shape = if transposed {
        [columns, rows]
    } else {
        [rows, columns]
    };
    let is_product = kind == LayerKind::Product;
    let fits = matrix.tensor.data_type == Some(FLOAT)
        && rows.checked_mul(columns)? >= FEWEST_WEIGHTS
        && (!is_product || shape[0] <= MAX_INT8_INNER)
        && (is_product || !transposed);
    let name = node.name.clone().filter(|name| !name.is_empty());
    let read = node.input.first().filter(|_| is_product);
    fits.then(|| Layer {
        name: name.unwrap_or_else(|| output.clone()),
        kind,
        shape,
        weights: matrix.name.to_owned(),
        transposed,
        outputs: vec![output.clone()],
        rows: read.cloned().into_iter().collect(),
    })
}
