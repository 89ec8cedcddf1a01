//! Ids of a column: strings or integers.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use multivec::{Error, Result};
use multivec_arrow::Texts;
use serde_json::Value;

pub(crate) enum Ids<'a> {
    Texts(Texts<'a>),
    Integers(&'a dyn Array),
}

impl<'a> Ids<'a> {
    pub(crate) fn new(column: &str, array: &'a ArrayRef) -> Result<Self> {
        let data_type = array.data_type();
        if data_type.is_integer() {
            return Ok(Self::Integers(array.as_ref()));
        }
        Texts::new(column, array).map(Self::Texts).map_err(|_| {
            let expected = "strings or integers, since it has the ids";
            Error::invalid_file(format!("column `{column}`"), expected, data_type)
        })
    }

    /// `None` for an id that is null.
    pub(crate) fn get(&self, at: usize) -> Option<Value> {
        match self {
            Self::Texts(texts) => texts.get(at).map(Value::from),
            Self::Integers(array) if array.is_null(at) => None,
            Self::Integers(array) => match array.data_type() {
                DataType::Int8 => integer::<Int8Type>(*array, at),
                DataType::Int16 => integer::<Int16Type>(*array, at),
                DataType::Int32 => integer::<Int32Type>(*array, at),
                DataType::Int64 => integer::<Int64Type>(*array, at),
                DataType::UInt8 => integer::<UInt8Type>(*array, at),
                DataType::UInt16 => integer::<UInt16Type>(*array, at),
                DataType::UInt32 => integer::<UInt32Type>(*array, at),
                _ => integer::<UInt64Type>(*array, at),
            },
        }
    }
}

fn integer<T: ArrowPrimitiveType<Native: Into<Value>>>(
    array: &dyn Array,
    at: usize,
) -> Option<Value> {
    Some(array.as_primitive_opt::<T>()?.value(at).into())
}
