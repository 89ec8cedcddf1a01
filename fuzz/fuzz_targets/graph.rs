//! Graphs of any bytes: read, cleaned, fused, lowered and packed, or refused.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use multivec_graph::{
    Bytes, Graph, Layers, Operators, drop_value_info, float_integer_products, for_onnxruntime,
    fuse, lift_nan_guards, pack_embeddings, pack_linears, remove_final_normalization,
    replace_mask_lookup, vocabulary_size,
};

fuzz_target!(|bytes: &[u8]| {
    let _ = Graph::scan("fuzzed.onnx", "weights", Cursor::new(bytes));
    let Ok(graph) = Graph::parse("fuzzed.onnx", bytes.to_vec().into()) else {
        return;
    };
    let _ = vocabulary_size(&graph);
    let mut passed = graph.clone();
    drop_value_info(&mut passed);
    replace_mask_lookup(&mut passed);
    lift_nan_guards(&mut passed);
    float_integer_products(&mut passed);
    remove_final_normalization(&mut passed);
    // What was written can be read.
    Graph::parse("written.onnx", passed.into_bytes().into()).expect("a graph was written");

    let mut fused = graph;
    fuse(&mut fused);
    let mut packed = fused.clone();
    for_onnxruntime(&mut fused, Operators::Contrib);
    Graph::parse("fused.onnx", fused.into_bytes().into()).expect("a graph was written");
    let beside = |_: &_| Ok(Bytes::new());
    let file = "fuzzed.onnx";
    if pack_linears(&mut packed, Layers::All, file, &beside).is_ok()
        && pack_embeddings(&mut packed, file, &beside).is_ok()
    {
        for_onnxruntime(&mut packed, Operators::Kernels);
    }
});
