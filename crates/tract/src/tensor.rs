//! ONNX tensors as tract's.

use multivec_graph::onnx::{EXTERNAL, TensorProto};
use multivec_graph::{self as graph, ExternalReader};
use tract_core::internal::*;

/// The element type of a `TensorProto.DataType`.
pub(super) fn dtype(code: i64) -> TractResult<DatumType> {
    Ok(match code {
        1 => f32::datum_type(),
        2 => u8::datum_type(),
        3 => i8::datum_type(),
        4 => u16::datum_type(),
        5 => i16::datum_type(),
        6 => i32::datum_type(),
        7 => i64::datum_type(),
        9 => bool::datum_type(),
        10 => f16::datum_type(),
        11 => f64::datum_type(),
        12 => u32::datum_type(),
        13 => u64::datum_type(),
        other => bail!("expected a numeric or boolean data type, found {other}"),
    })
}

/// Converts a tensor; `external` reads its bytes if they are in a file.
pub(super) fn read(proto: &TensorProto, external: &ExternalReader<'_>) -> TractResult<Tensor> {
    let name = proto.name.as_deref().unwrap_or_default();
    convert(proto, external).with_context(|| format!("in the tensor `{name}`"))
}

/// Refuses tensors in files, where there are none.
pub(super) fn no_files(file: &str) -> impl Fn(&TensorProto) -> graph::Result<graph::Bytes> {
    move |tensor| {
        let name = tensor.name.as_deref().unwrap_or_default();
        let found =
            format!("expected the tensor `{name}` within the model, found it in a file beside it");
        Err(graph::Error::invalid(file, found))
    }
}

fn convert(proto: &TensorProto, external: &ExternalReader<'_>) -> TractResult<Tensor> {
    let dtype = dtype(i64::from(proto.data_type.unwrap_or_default()))?;
    let shape = shape(proto, dtype)?;
    let raw = match &proto.raw_data {
        _ if proto.data_location == Some(EXTERNAL) => &external(proto)?,
        Some(raw) => raw,
        None => return listed(proto, &shape, dtype),
    };
    let expected = shape.iter().product::<usize>() * dtype.size_of();
    ensure!(
        raw.len() == expected,
        "expected {expected} bytes for {shape:?} of {dtype:?}, found {}",
        raw.len()
    );
    // In ONNX any byte but 0 is true; a Rust `bool` must be 0 or 1.
    let stored = match dtype {
        DatumType::Bool => DatumType::U8,
        other => other,
    };
    // SAFETY: the length was checked above, and every bit pattern is a value
    // of these types, booleans being read as bytes.
    let tensor = unsafe { Tensor::from_raw_dt(stored, &shape, raw) }?;
    as_dtype(tensor, dtype)
}

/// The shape, if the tensor's size in bytes does not overflow.
fn shape(proto: &TensorProto, dtype: DatumType) -> TractResult<TVec<usize>> {
    let shape: Option<TVec<usize>> = proto
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim).ok())
        .collect();
    shape
        .filter(|shape| {
            let mut dims = shape.iter();
            let bytes = dims.try_fold(dtype.size_of(), |size, &dim| size.checked_mul(dim));
            bytes.is_some()
        })
        .with_context(|| {
            format!(
                "expected sizes from 0 on whose product fits in memory, found {:?}",
                proto.dims
            )
        })
}

/// Reads the typed fields that hold values in place of raw bytes.
fn listed(proto: &TensorProto, shape: &[usize], dtype: DatumType) -> TractResult<Tensor> {
    match dtype {
        DatumType::F32 => filled(shape, &proto.float_data),
        DatumType::F64 => filled(shape, &proto.double_data),
        DatumType::I64 => filled(shape, &proto.int64_data),
        DatumType::U32 | DatumType::U64 => as_dtype(filled(shape, &proto.uint64_data)?, dtype),
        DatumType::F16 => {
            let bits = proto.int32_data.iter();
            let values: Vec<f16> = bits.map(|&bits| f16::from_bits(bits as u16)).collect();
            filled(shape, &values)
        }
        _ => as_dtype(filled(shape, &proto.int32_data)?, dtype),
    }
}

fn filled<T: Datum + Copy>(shape: &[usize], values: &[T]) -> TractResult<Tensor> {
    let expected = shape.iter().product::<usize>();
    ensure!(
        values.len() == expected,
        "expected {expected} values for {shape:?}, found {}",
        values.len()
    );
    Tensor::from_shape(shape, values)
}

fn as_dtype(tensor: Tensor, dtype: DatumType) -> TractResult<Tensor> {
    if tensor.datum_type() == dtype {
        return Ok(tensor);
    }
    Ok(tensor.cast_to_dt(dtype)?.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    /// A tensor of `[2]` of a data type's code, in raw bytes.
    fn raw(data_type: i32, bytes: &[u8]) -> TensorProto {
        TensorProto {
            name: Some("weights".to_owned()),
            data_type: Some(data_type),
            dims: vec![2],
            raw_data: Some(bytes.to_vec().into()),
            ..TensorProto::default()
        }
    }

    fn read(proto: &TensorProto) -> TractResult<Tensor> {
        super::read(proto, &no_files("model.onnx"))
    }

    fn error(proto: &TensorProto) -> String {
        let error = read(proto).expect_err("an error");
        format!("{error:#}")
    }

    #[test]
    fn raw_and_typed_values_are_read() {
        let bytes = [1.5f32.to_le_bytes(), (-2f32).to_le_bytes()].concat();
        assert_eq!(
            read(&raw(1, &bytes)).expect("a tensor"),
            tensor1(&[1.5, -2f32])
        );
        let found = read(&raw(9, &[0, 7])).expect("a tensor");
        assert_eq!(found, tensor1(&[false, true]));

        let listed = |data_type, ints: &[i32]| TensorProto {
            raw_data: None,
            int32_data: ints.to_vec(),
            ..raw(data_type, &[])
        };
        let found = read(&listed(10, &[0x3c00, 0x4000])).expect("a tensor");
        assert_eq!(found, tensor1(&[f16::from_f32(1.), f16::from_f32(2.)]));
        let found = read(&listed(3, &[-128, 127])).expect("a tensor");
        assert_eq!(found, tensor1(&[-128i8, 127]));
        let found = read(&listed(9, &[0, 2])).expect("a tensor");
        assert_eq!(found, tensor1(&[false, true]));
        assert!(error(&listed(6, &[1, 2, 3])).contains("expected 2 values for [2], found 3"));
    }

    #[test]
    fn wrong_numbers_of_bytes_are_refused() {
        let found = error(&raw(1, &[0; 7]));
        assert!(found.contains("in the tensor `weights`"), "{found}");
        assert!(
            found.contains("expected 8 bytes for [2] of F32, found 7"),
            "{found}"
        );
        assert!(error(&raw(7, &[0; 8])).contains("expected 16 bytes"));
        assert!(error(&raw(2, &[])).contains("expected 2 bytes"));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for dims in [vec![-1], vec![i64::MAX], vec![1 << 32, 1 << 32]] {
            for raw_data in [None, Some(vec![0; 8].into())] {
                let proto = TensorProto {
                    dims: dims.clone(),
                    raw_data,
                    ..raw(1, &[])
                };
                assert!(
                    error(&proto).contains("expected sizes from 0 on"),
                    "{dims:?}"
                );
            }
        }
    }

    #[test]
    fn weights_in_files_are_read() {
        let proto = TensorProto {
            data_location: Some(1),
            ..raw(1, &[0; 8])
        };
        assert!(error(&proto).contains("found it in a file beside it"));
        let beside = |_: &TensorProto| Ok([1.5f32.to_le_bytes(); 2].concat().into());
        let found = super::read(&proto, &beside).expect("a tensor");
        assert_eq!(found, tensor1(&[1.5f32, 1.5]));
    }

    #[test]
    fn other_data_types_are_refused() {
        // Undefined, strings, and one that does not exist.
        for data_type in [0, 8, 1000] {
            let found = error(&raw(data_type, &[0; 8]));
            assert!(
                found.contains(&format!("data type, found {data_type}")),
                "{found}"
            );
        }
    }
}
