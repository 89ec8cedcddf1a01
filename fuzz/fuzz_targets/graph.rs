//! Reads arbitrary bytes as a graph, and rewrites and packs what can be read.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use multivec_graph::lower::{Layers, Operators, for_onnxruntime, pack_embeddings, pack_linears};
use multivec_graph::passes::{
    drop_value_info, float_integer_products, lift_nan_guards, remove_final_normalization,
    replace_mask_lookup,
};
use multivec_graph::{Bytes, Graph, fuse, vocabulary_size};

const FILE: &str = "fuzzed.onnx";

fuzz_target!(|bytes: &[u8]| {
    let _ = Graph::scan(FILE, "weights", Cursor::new(bytes));
    let Ok(graph) = Graph::parse(FILE, bytes.to_vec().into()) else {
        return;
    };
    let _ = vocabulary_size(&graph);

    let mut rewritten = graph.clone();
    drop_value_info(&mut rewritten);
    replace_mask_lookup(&mut rewritten);
    lift_nan_guards(&mut rewritten);
    float_integer_products(&mut rewritten);
    remove_final_normalization(&mut rewritten);
    read_back(rewritten);

    let mut fused = graph;
    fuse(&mut fused);
    let mut packed = fused.clone();
    for_onnxruntime(&mut fused, Operators::Contrib);
    read_back(fused);

    let none = |_: &_| Ok(Bytes::new());
    if pack_linears(&mut packed, Layers::All, FILE, &none).is_ok()
        && pack_embeddings(&mut packed, FILE, &none).is_ok()
    {
        for_onnxruntime(&mut packed, Operators::Kernels);
    }
});

fn read_back(graph: Graph) {
    let bytes = graph.into_bytes();
    Graph::parse("written.onnx", bytes.into()).expect("a written graph can be read");
}
