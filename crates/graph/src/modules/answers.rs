//! Logits of a few tokens after the last of a text, from logits of the whole
//! vocabulary in each place.

use super::append;
use crate::blocks::last_row;
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::interface::declare_text;
use crate::onnx::FLOAT;
use crate::trace::Trace;

/// Shapes that no model has by chance.
const BATCH: usize = 2;
const LENGTH: usize = 5;

/// Keeps of a graph's output, `[batch, length, vocabulary]` of 32-bit floats,
/// the logits of these tokens after the last token of each text. The result,
/// `[batch, 1, tokens]`, whose name is returned, is the only output then. `file`
/// is the graph's name in errors.
///
/// Where the output is a product of rows with a matrix, the last row alone is
/// multiplied.
///
/// # Errors
/// [`Error::ModelMismatch`] if the graph has no output of that name, or the
/// vocabulary is smaller than a token's id or unknown.
pub fn append_answers(
    graph: &mut Graph,
    file: &str,
    output: &str,
    tokens: &[u32],
) -> Result<String> {
    let product = {
        let index = ValueIndex::new(graph);
        let trace = Trace::unpadded(&index, BATCH, LENGTH);
        let vocabulary = match trace.shape(output) {
            Some([BATCH, LENGTH, vocabulary]) => Some(*vocabulary),
            _ => None,
        };
        let largest = tokens.iter().max().map_or(0, |&token| token as usize);
        if vocabulary.is_none_or(|vocabulary| vocabulary <= largest) {
            let found = vocabulary.map_or("an unknown number".to_owned(), |all| all.to_string());
            let expected = format!("more than {largest}, the id of a token");
            let what = format!("columns of `{output}`");
            return Err(Error::mismatch(file, what, expected, found));
        }
        Product::of(&index, &trace, output)
    };
    let ids: Vec<i64> = tokens.iter().copied().map(i64::from).collect();
    let result = append(graph, file, output, |builder, logits| {
        let row = match &product {
            Some(product) => product.last_row(builder),
            None => last_row(builder, logits, None),
        };
        let ids = builder.ints(&ids);
        Ok(builder.add_with("Gather", &[&row, &ids], |node| node.with_int("axis", 2)))
    })?;
    graph.proto_mut().output = vec![declare_text(&result, FLOAT, Some(tokens.len()))];
    graph.remove_dead_nodes();
    Ok(result)
}

/// Rows of tokens times a constant matrix: each row of the result is of one
/// token.
struct Product {
    rows: String,
    matrix: String,
}

impl Product {
    fn of(index: &ValueIndex<'_>, trace: &Trace<'_>, output: &str) -> Option<Self> {
        let node = index.made_by(output, "MatMul")?;
        let [rows, matrix] = node.input.as_slice() else {
            return None;
        };
        let constant = index.constant_matrix(matrix)?;
        let is_product = matches!(trace.shape(rows), Some([BATCH, LENGTH, _]))
            && constant.tensor.dims.len() == 2
            && constant.tensor.data_type == Some(FLOAT);
        is_product.then(|| Self {
            rows: rows.clone(),
            matrix: matrix.clone(),
        })
    }

    fn last_row(&self, builder: &mut Builder) -> String {
        let row = last_row(builder, &self.rows, None);
        builder.add("MatMul", &[&row, &self.matrix])
    }
}
