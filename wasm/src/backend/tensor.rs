//! Tensors of ONNX as tract's.

use multivec_core::graph::onnx::TensorProto;
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
        other => bail!("expected numbers or truth values, found the data type {other}"),
    })
}

/// Reads a tensor.
pub(super) fn read(proto: &TensorProto) -> TractResult<Tensor> {
    let name = proto.name.as_deref().unwrap_or_default();
    convert(proto).with_context(|| format!("in the tensor `{name}`"))
}

fn convert(proto: &TensorProto) -> TractResult<Tensor> {
    // `TensorProto.DataLocation.EXTERNAL`
    if proto.data_location == Some(1) {
        bail!("expected weights within the model, found them in a file beside it");
    }
    let dtype = dtype(i64::from(proto.data_type.unwrap_or_default()))?;
    let shape = proto
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim))
        .collect::<Result<TVec<usize>, _>>()?;
    match &proto.raw_data {
        Some(raw) => check_size(&shape, dtype, raw.len())
            // SAFETY: the bytes are as many as shape and type ask for, and
            // every pattern of bits is a value of these types; truth values
            // are brought to 0 and 1 below.
            .and_then(|()| unsafe { Tensor::from_raw_dt(if dtype == bool::datum_type() { u8::datum_type() } else { dtype }, &shape, raw) })
            .and_then(|tensor| as_dtype(tensor, dtype)),
        None => listed(proto, &shape, dtype),
    }
}

fn check_size(shape: &[usize], dtype: DatumType, bytes: usize) -> TractResult<()> {
    let expected = shape
        .iter()
        .try_fold(dtype.size_of(), |size, &dim| size.checked_mul(dim));
    ensure!(
        expected == Some(bytes),
        "expected {shape:?} of {dtype:?}, found {bytes} bytes"
    );
    Ok(())
}

/// Values in the fields for single types, where there are no raw bytes.
fn listed(proto: &TensorProto, shape: &[usize], dtype: DatumType) -> TractResult<Tensor> {
    let ints = || Tensor::from_shape(shape, &proto.int32_data);
    match dtype {
        DatumType::F32 => Tensor::from_shape(shape, &proto.float_data),
        DatumType::F64 => Tensor::from_shape(shape, &proto.double_data),
        DatumType::I64 => Tensor::from_shape(shape, &proto.int64_data),
        DatumType::U32 | DatumType::U64 => {
            as_dtype(Tensor::from_shape(shape, &proto.uint64_data)?, dtype)
        }
        DatumType::F16 => {
            let bits = proto.int32_data.iter().map(|&bits| f16::from_bits(bits as u16));
            Tensor::from_shape(shape, &bits.collect::<Vec<_>>())
        }
        _ => as_dtype(ints()?, dtype),
    }
}

fn as_dtype(tensor: Tensor, dtype: DatumType) -> TractResult<Tensor> {
    if tensor.datum_type() == dtype {
        return Ok(tensor);
    }
    Ok(tensor.cast_to_dt(dtype)?.into_owned())
}
