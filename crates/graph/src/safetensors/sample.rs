//! Headers made for tests.

use super::WeightIndex;

/// The weights of a file with tensors of these shapes, of 32-bit floats.
pub(crate) fn weight_index(file: &str, tensors: &[(String, Vec<usize>)]) -> WeightIndex {
    let mut end = 0;
    let entries = tensors.iter().map(|(name, shape)| {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let mut index = WeightIndex::new();
    let length = 8 + (header.len() + end) as u64;
    let added = index.add_file(file, header.as_bytes(), length);
    added.expect("a valid header");
    index
}
