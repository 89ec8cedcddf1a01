//! How vectors are stored.

use clap::ValueEnum;
use multivec::corpus::VectorPrecision;

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StoreName {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Integers of 8 bits and a scale for each row.
    Int8,
    /// The sign of each column.
    Bits,
}

impl From<StoreName> for VectorPrecision {
    fn from(name: StoreName) -> Self {
        match name {
            StoreName::F32 => Self::F32,
            StoreName::F16 => Self::F16,
            StoreName::Int8 => Self::Int8,
            StoreName::Bits => Self::Bits,
        }
    }
}
