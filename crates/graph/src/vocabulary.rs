//! How many token ids an encoder knows.

use super::Graph;
use super::values::Values;

/// Rows of the table that `input_ids` are looked up in, the smallest where
/// there are several. `None` where no such table is recognized.
///
/// For engines that do not check ids themselves.
pub fn vocabulary_size(graph: &Graph) -> Option<usize> {
    let values = Values::new(graph);
    graph
        .nodes()
        .iter()
        .filter_map(|node| {
            let (table, ids) = match (node.operator().as_str(), node.input.as_slice()) {
                ("Gather", [table, ids]) | ("ai.multivec.Embedding", [ids, table, ..]) => {
                    (table, ids)
                }
                _ => return None,
            };
            if values.before(ids, &["Cast", "Identity"]) != "input_ids" {
                return None;
            }
            let table = values.before(table, &["DequantizeLinear", "Cast", "Identity"]);
            let rows = values.constant(table)?.dims.first()?;
            usize::try_from(*rows).ok()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::super::onnx::TensorProto;
    use super::super::testing::{graph, node};
    use super::*;

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
    fn counts_the_rows_of_the_embedding_table() {
        assert_eq!(vocabulary_size(&lookup("input_ids")), Some(7));
        assert_eq!(vocabulary_size(&lookup("cast_ids")), Some(7));
    }

    #[test]
    fn counts_them_in_fused_graphs() {
        let mut graph = lookup("cast_ids");
        let mut embedding = node("Embedding", &["cast_ids", "table"], "rows");
        embedding.domain = Some("ai.multivec".to_owned());
        graph.proto_mut().node[2] = embedding;
        assert_eq!(vocabulary_size(&graph), Some(7));
    }

    #[test]
    fn other_tables_do_not_count() {
        assert_eq!(vocabulary_size(&lookup("other_ids")), None);
    }
}
