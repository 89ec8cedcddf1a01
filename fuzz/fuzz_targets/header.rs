//! Reads arbitrary bytes as what tells where weights are: a header of safetensors, and
//! the index of several files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use multivec_graph::FILE_START;
use multivec_graph::safetensors::{WeightIndex, header_length, shard_files};

const FILE: &str = "model.safetensors";

fuzz_target!(|bytes: &[u8]| {
    let start = &bytes[..bytes.len().min(FILE_START)];
    let _ = header_length(FILE, start, bytes.len() as u64);
    let _ = shard_files("model.safetensors.index.json", bytes);
    for length in [bytes.len() as u64, u64::MAX] {
        let _ = WeightIndex::new().add_file(FILE, bytes, length);
    }
});
