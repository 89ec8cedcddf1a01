//! The number of token ids that an encoder knows.

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::operators::EMBEDDING;

/// Rows of the table that `input_ids` are looked up in; of the smallest where
/// there are several. `None` if no table is recognised.
///
/// For engines that do not check ids themselves.
pub fn vocabulary_size(graph: &Graph) -> Option<usize> {
    let index = ValueIndex::new(graph);
    graph
        .nodes()
        .iter()
        .filter_map(|node| {
            let (table, ids) = match node.input.as_slice() {
                [table, ids] if node.is("Gather") => (table, ids),
                [ids, table, ..] if node.is_ours(EMBEDDING) => (table, ids),
                _ => return None,
            };
            if index.before(ids, &["Cast", "Identity"]) != "input_ids" {
                return None;
            }
            let table = index.before(table, &["DequantizeLinear", "Cast", "Identity"]);
            let rows = index.constant(table)?.dims.first()?;
            usize::try_from(*rows).ok()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::TensorProto;
    use crate::operators::DOMAIN;
    use crate::testing::{graph, node};

    fn lookup(ids: &str) -> Graph {
        let nodes = vec![
            node("Cast", &["input_ids"], "cast_ids"),
            node("DequantizeLinear", &["table", "scale"], "floats"),
            node("Gather", &["floats", ids], "rows"),
        ];
        let mut graph = graph(&["input_ids", "other_ids"], nodes, &["rows"]);
        graph.proto_mut().initializer.push(TensorProto {
            name: Some("table".to_owned()),
            dims: vec![7, 4],
            ..TensorProto::default()
        });
        graph
    }

    #[test]
    fn rows_of_the_embedding_table_are_counted() {
        assert_eq!(vocabulary_size(&lookup("input_ids")), Some(7));
        assert_eq!(vocabulary_size(&lookup("cast_ids")), Some(7));
    }

    #[test]
    fn rows_are_counted_in_fused_graphs() {
        let mut graph = lookup("cast_ids");
        let mut embedding = node(EMBEDDING, &["cast_ids", "table"], "rows");
        embedding.domain = Some(DOMAIN.to_owned());
        graph.proto_mut().node[2] = embedding;
        assert_eq!(vocabulary_size(&graph), Some(7));
    }

    #[test]
    fn other_tables_are_ignored() {
        assert_eq!(vocabulary_size(&lookup("other_ids")), None);
    }
}
