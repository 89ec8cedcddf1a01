//! Peak memory of `quantize`.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use multivec::LayerKind;
use multivec_graph::quantize::layers;
use multivec_testing::folders::{fixture, graph, in_graph, with_model};
use multivec_testing::process::largest;

fn peak_of_quantizing(source: &Path) -> u64 {
    let output = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_multivec"))
        .args(["quantize", "--model"])
        .arg(source)
        .arg("--output")
        .arg(output.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("multivec starts");
    let mut most = 0;
    loop {
        most = most.max(largest(child.id()) as u64);
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            assert!(status.success());
            return most;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn memory_is_at_most_twice_the_model() {
    let mut graph = graph(&fixture("tiny-bert").join("model.onnx"));
    let found = layers(&graph, "model.onnx").expect("there are layers");
    let table = found
        .iter()
        .find(|layer| layer.kind == LayerKind::Embedding);
    let table = table
        .and_then(|layer| layer.tensor(&graph))
        .expect("a table");
    let (name, dims) = (table.name.clone(), table.dims.clone());
    let bytes = multivec_graph::tensor_bytes(table, &in_graph).expect("bytes");
    let times = (160 << 20) / bytes.len();
    let tensors = &mut graph.proto_mut().initializer;
    let tensor = tensors.iter_mut().find(|tensor| tensor.name == name);
    let tensor = tensor.expect("it is a tensor of the graph");
    tensor.dims = vec![dims[0] * times as i64, dims[1]];
    tensor.raw_data = Some(bytes.repeat(times).into());
    let model = graph.into_bytes();
    let large = with_model("tiny-bert", &model);

    let base = peak_of_quantizing(&fixture("tiny-bert"));
    let peak = peak_of_quantizing(large.path());
    let size = model.len() as u64;
    println!("model {size}, base {base}, peak {peak}");
    assert!(base > 10 << 20 && peak > size, "{base} {peak}");
    assert!(peak - base <= 2 * size, "{peak} - {base} > 2 * {size}");
}
