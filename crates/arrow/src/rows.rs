//! Rows of one precision, and arrays of them.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Int8Type, UInt8Type};
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, PrimitiveArray};
use arrow_buffer::{MutableBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef};
use multivec_core::corpus::VectorPrecision;
use multivec_core::{Error, Result};

/// The type of a row's items.
pub(crate) fn item_type(precision: VectorPrecision) -> Result<DataType> {
    match precision {
        VectorPrecision::F32 => Ok(DataType::Float32),
        VectorPrecision::F16 => Ok(DataType::Float16),
        VectorPrecision::Int8 => Ok(DataType::Int8),
        VectorPrecision::Bits => Ok(DataType::UInt8),
        other => Err(Error::option(
            "vector_precision",
            "f32, f16, int8 or bits",
            other,
        )),
    }
}

/// The field of a list's items. None of them is null, but other libraries make
/// lists of items that can be, and types that differ do not join.
pub(crate) fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type, true))
}

/// The type of rows: a list of so many items.
pub(crate) fn row_type(dim: usize, precision: VectorPrecision) -> Result<DataType> {
    let most = precision.max_dim();
    let size = match precision {
        VectorPrecision::Bits => dim.div_ceil(8),
        _ => dim,
    };
    let fits = (1..=most).contains(&dim);
    let size = i32::try_from(size)
        .ok()
        .filter(|_| fits)
        .ok_or_else(|| Error::option("dim", format!("1 to {most} columns in {precision}"), dim))?;
    Ok(DataType::FixedSizeList(item(item_type(precision)?), size))
}

/// Rows that grow.
#[derive(Debug)]
pub(crate) struct Rows {
    dim: usize,
    precision: VectorPrecision,
    row_type: DataType,
    values: MutableBuffer,
    scales: Vec<f32>,
    len: usize,
}

impl Rows {
    pub(crate) fn new(dim: usize, precision: VectorPrecision) -> Result<Self> {
        Ok(Self {
            dim,
            precision,
            row_type: row_type(dim, precision)?,
            values: MutableBuffer::new(0),
            scales: Vec::new(),
            len: 0,
        })
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn row_type(&self) -> &DataType {
        &self.row_type
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.len() + size_of_val(self.scales.as_slice())
    }

    /// Adds whole rows, or none of them.
    pub(crate) fn push(&mut self, values: &[f32]) -> Result<()> {
        if self.precision == VectorPrecision::F32 {
            // As they are, in one copy.
            self.values.extend_from_slice(values);
        } else {
            let before = [self.values.len(), self.scales.len()];
            let (bytes, scales) = (&mut self.values, &mut self.scales);
            let stored = self.precision.store(values, self.dim, bytes, scales);
            if let Err(error) = stored {
                self.values.truncate(before[0]);
                self.scales.truncate(before[1]);
                return Err(error);
            }
        }
        self.len += values.len() / self.dim;
        Ok(())
    }

    /// Adds a row of zeros, for one that is null.
    pub(crate) fn push_null(&mut self) {
        let size = self.precision.row_size(self.dim);
        self.values.extend_zeros(size);
        if self.precision == VectorPrecision::Int8 {
            self.scales.push(0.);
        }
        self.len += 1;
    }

    /// The rows so far, `[rows, dim]`, and their scales; none are left.
    pub(crate) fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<FinishedRows> {
        let values = std::mem::take(&mut self.values);
        let values: ArrayRef = match self.precision {
            VectorPrecision::F32 => array::<Float32Type>(values),
            VectorPrecision::F16 => array::<Float16Type>(values),
            VectorPrecision::Int8 => array::<Int8Type>(values),
            _ => array::<UInt8Type>(values),
        };
        let scales = std::mem::take(&mut self.scales);
        let scales = (self.precision == VectorPrecision::Int8).then(|| scales.into());
        let len = std::mem::take(&mut self.len);
        let DataType::FixedSizeList(item, size) = &self.row_type else {
            return Err(invalid("lists of one size", &self.row_type));
        };
        let rows = FixedSizeListArray::try_new_with_length(item.clone(), *size, values, nulls, len)
            .map_err(|error| invalid("whole rows", error))?;
        Ok(FinishedRows { rows, scales })
    }
}

/// Rows in an array.
pub(crate) struct FinishedRows {
    pub(crate) rows: FixedSizeListArray,
    /// The scale of each row, where the precision has scales.
    pub(crate) scales: Option<ScalarBuffer<f32>>,
}

impl FinishedRows {
    pub(crate) fn scale_array(
        scales: ScalarBuffer<f32>,
        nulls: Option<NullBuffer>,
    ) -> Result<Float32Array> {
        PrimitiveArray::try_new(scales, nulls).map_err(|error| invalid("a scale a row", error))
    }
}

fn array<T: ArrowPrimitiveType>(values: MutableBuffer) -> ArrayRef {
    let values: ScalarBuffer<T::Native> = values.into();
    Arc::new(PrimitiveArray::<T>::new(values, None))
}

/// An array that cannot be made.
pub(crate) fn invalid(expected: &str, found: impl std::fmt::Display) -> Error {
    Error::invalid_file("array of embeddings", expected, found)
}
