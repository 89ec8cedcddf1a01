//! Reads a header of safetensors and a `config.json`, with a byte between them
//! that no UTF-8 has, and writes the graph of what can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use multivec_graph::architectures::Head;
use multivec_graph::safetensors::WeightIndex;
use multivec_graph::{Graph, architectures, fuse};

const FILE: &str = "model.safetensors";
const HEADS: [Head<'_>; 4] = [
    Head::None,
    Head::MaskedLanguageModel,
    Head::SequenceClassification,
    Head::causal(&[3, 1]),
];

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |&byte| byte == 0xff);
    let (header, config) = (parts.next().unwrap_or_default(), parts.next());
    // As long as its header says, which no input can be.
    for length in [bytes.len() as u64, declared_length(header)] {
        let mut index = WeightIndex::new();
        if index.add_file(FILE, header, length).is_err() {
            continue;
        }
        let config = config.unwrap_or_default();
        for head in HEADS {
            if let Ok(found) = architectures::build("config.json", config, &index, head) {
                let mut graph = found.graph;
                let written = graph.clone().into_bytes();
                Graph::parse("written.onnx", written.into()).expect("a written graph can be read");
                fuse(&mut graph);
            }
        }
    }
});

/// The largest number in a header is that of its last byte, or no file's.
fn declared_length(header: &[u8]) -> u64 {
    let digits = header.split(|byte| !byte.is_ascii_digit());
    let numbers = digits.filter_map(|digits| str::from_utf8(digits).ok()?.parse::<u64>().ok());
    let most = numbers.max().unwrap_or_default();
    most.saturating_add(8 + header.len() as u64)
}
