use std::io::Cursor;

use super::*;
use crate::error::Result;
use crate::external::{ExternalLocation, StoredType};
use crate::testing::fixture_bytes;

/// A file with this header, and as many bytes of weights.
fn file(header: &str, weights: usize) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &vec![0; weights]].concat()
}

fn read(bytes: &[u8]) -> Result<WeightIndex> {
    let mut index = WeightIndex::new();
    index.read_file("model.safetensors", Cursor::new(bytes))?;
    Ok(index)
}

fn refused(bytes: &[u8]) -> String {
    let error = read(bytes).expect_err("it is no safetensors file");
    assert_eq!(error.code(), "invalid_file");
    let message = error.to_string();
    assert!(
        message.starts_with("model.safetensors: expected "),
        "{message}"
    );
    message
}

const HEADER: &str = r#"{"__metadata__":{"format":"pt"},
    "half":{"dtype":"F16","shape":[3],"data_offsets":[24,30]},
    "ids":{"dtype":"I64","shape":[2],"data_offsets":[30,46]},
    "table":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;

#[test]
fn tensors_are_found() {
    let bytes = file(HEADER, 46);
    let index = read(&bytes).expect("a valid file");
    assert_eq!(index.names().collect::<Vec<_>>(), ["half", "ids", "table"]);
    assert_eq!(index.files().collect::<Vec<_>>(), ["model.safetensors"]);
    let half = index.get("half").expect("a tensor");
    let tensor = half.to_tensor("half").expect("floats");
    let place = ExternalLocation::of(&tensor).expect("an external tensor");
    assert_eq!(place.offset, 8 + HEADER.len() as u64 + 24);
    assert_eq!((place.length, place.stored), (Some(6), StoredType::Float16));
    assert_eq!(tensor.dims, [3]);

    let ids = index.get("ids").expect("a tensor");
    let error = ids.to_tensor("ids").expect_err("not of floats").to_string();
    assert!(error.contains("`ids`") && error.contains("I64"), "{error}");
}

#[test]
fn a_published_model_is_read() {
    let name = "tests/fixtures/hub/mv-pylate-bert/model.safetensors";
    let bytes = fixture_bytes(name);
    let index = read(&bytes).expect("a valid file");
    let table = index.get("embeddings.word_embeddings.weight");
    let table = table.expect("a table");
    assert_eq!(table.shape, [1200, 64]);
    for end in [0, 5, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        refused(&bytes[..end]);
    }
}

#[test]
fn other_files_are_named() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    assert!(refused(pointer).contains("Git LFS"));
    assert!(refused(b"<!DOCTYPE html><html></html>").contains("web page"));
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"PK\x03\x04 and so on").contains("another format"));
    let message = refused(&file(HEADER, 45));
    assert!(message.contains("truncated"), "{message}");
    assert!(refused(&file(HEADER, 47)).contains("as its header says"));
}

#[test]
fn places_are_checked() {
    for entry in [
        r#"{"dtype":"F32","shape":[2],"data_offsets":[0,7]}"#,
        r#"{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#,
        r#"{"dtype":"F32","shape":[2,18446744073709551615],"data_offsets":[0,8]}"#,
        r#"{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551611,18446744073709551615]}"#,
        r#"{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551615]}"#,
        r#"{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#,
        r#"{"dtype":"F32","data_offsets":[0,8]}"#,
        "3",
    ] {
        refused(&file(&format!(r#"{{"x":{entry}}}"#), 8));
    }
    refused(&[&u64::MAX.to_le_bytes()[..], b"{}"].concat());
}

#[test]
fn shards_share_an_index() {
    let names = shard_files(
        "model.safetensors.index.json",
        br#"{"metadata":{"total_size":8},"weight_map":{"b":"2.safetensors","a":"1.safetensors"}}"#,
    );
    let names = names.expect("an index");
    let mut index = WeightIndex::new();
    for (name, tensor) in names.iter().zip(["a", "b"]) {
        let header = format!(r#"{{"{tensor}":{{"dtype":"F32","shape":[],"data_offsets":[0,4]}}}}"#);
        let bytes = file(&header, 4);
        let added = index.read_file(name, Cursor::new(bytes));
        added.expect("a valid file");
    }
    let b = index.get("b").expect("a tensor");
    assert_eq!(&*b.file, "2.safetensors");
    let again = file(
        r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#,
        4,
    );
    let error = index.read_file("3.safetensors", Cursor::new(again));
    let error = error.expect_err("a tensor in two files").to_string();
    assert!(error.contains("1.safetensors"), "{error}");

    for index in [
        r#"{"weight_map":{"a":"../secret"}}"#,
        r#"{"weight_map":{}}"#,
        "[]",
    ] {
        let error = shard_files("index", index.as_bytes()).expect_err("no index");
        assert_eq!(error.code(), "invalid_file");
    }
}

#[test]
fn damaged_headers_are_read_or_refused() {
    let whole = file(HEADER, 46);
    let (mut read_anyway, mut refused) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = whole.clone();
        let at = (round * 40_503) % (bytes.len() - 46);
        bytes[at] ^= 1 << (round % 8);
        bytes[(round * 7_919) % (HEADER.len() + 8)] = b"0987{}[],:\"-eF"[round % 14];
        match read(&bytes) {
            Ok(_) => read_anyway += 1,
            Err(error) => {
                assert_eq!(error.code(), "invalid_file");
                refused += 1;
            }
        }
    }
    assert!(
        read_anyway > 100 && refused > 1_000,
        "{read_anyway} {refused}"
    );
}
