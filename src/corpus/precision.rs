//! How vectors of a corpus are stored.

use std::fmt;

use multivec_kernels::{MAX_COLUMNS, RowFormat};

use crate::error::{Error, Result};

/// What errors call the option.
pub(super) const PRECISION: &str = "vector_precision";

/// How the vectors of a corpus are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum VectorPrecision {
    /// 32-bit floats, as they are encoded.
    #[default]
    F32,
    /// 16-bit floats: half as large, with three digits.
    F16,
    /// Integers of 8 bits and a scale for each row: a quarter as large.
    Int8,
    /// The sign of each column: a 32nd as large. Rows stand for vectors of unit
    /// length.
    Bits,
}

impl VectorPrecision {
    /// All precisions, the most exact first.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Int8, Self::Bits];

    /// Its name: `f32`, `f16`, `int8` or `bits`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Bits => "bits",
        }
    }

    /// The most columns of rows in it.
    pub fn max_dim(self) -> usize {
        match self {
            Self::F32 | Self::F16 => usize::from(u16::MAX),
            Self::Int8 | Self::Bits => MAX_COLUMNS,
        }
    }

    /// Its number in files.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Int8 => 2,
            Self::Bits => 3,
        }
    }

    pub(super) fn row_format(self) -> RowFormat {
        match self {
            Self::F32 => RowFormat::Floats,
            Self::F16 => RowFormat::Halves,
            Self::Int8 => RowFormat::Integers,
            Self::Bits => RowFormat::Bits,
        }
    }

    /// Bytes of a row, without its scale.
    pub fn row_size(self, dim: usize) -> usize {
        self.row_format().row_size(dim)
    }

    /// Bytes of the scale of a row.
    pub(super) fn scale_size(self) -> usize {
        match self {
            Self::Int8 => size_of::<f32>(),
            _ => 0,
        }
    }
}

impl fmt::Display for VectorPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The largest finite 16-bit float.
const LARGEST_HALF: f32 = 65504.;

/// Adding and subtracting it rounds to the nearest, ties to even, in two
/// instructions where the standard library may call a function.
const ROUND: f32 = 12_582_912.;

impl VectorPrecision {
    /// Adds rows of `dim` columns in this precision to `bytes`, as corpora have
    /// them, and to `scales` the scale of each row of [`Int8`](Self::Int8).
    /// Numbers are little endian. A row of [`Bits`](Self::Bits) starts at a byte,
    /// with its first column in the lowest bit, which is 1 for columns that are
    /// not negative.
    ///
    /// # Errors
    /// [`Error::NonFiniteVector`] of text 0 for a row with a number that is not
    /// finite, [`Error::InvalidOption`] for one beyond the range of 16-bit
    /// floats. Rows before it have been added then.
    ///
    /// # Panics
    /// If `dim` is 0.
    pub fn store(
        self,
        values: &[f32],
        dim: usize,
        bytes: &mut impl Extend<u8>,
        scales: &mut impl Extend<f32>,
    ) -> Result<()> {
        for (at, row) in values.chunks_exact(dim).enumerate() {
            if !row.iter().all(|value| value.is_finite()) {
                let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
                return Err(Error::non_finite_vector(0, at, norm));
            }
            self.store_row(row, bytes, scales)?;
        }
        Ok(())
    }

    fn store_row(
        self,
        row: &[f32],
        bytes: &mut impl Extend<u8>,
        scales: &mut impl Extend<f32>,
    ) -> Result<()> {
        match self {
            Self::F32 => bytes.extend(row.iter().flat_map(|value| value.to_le_bytes())),
            Self::F16 => {
                if let Some(value) = row.iter().find(|value| value.abs() > LARGEST_HALF) {
                    let expected = format!("f32 or int8 for numbers such as {value:e}");
                    return Err(Error::option(PRECISION, expected, self));
                }
                bytes.extend(row.iter().flat_map(|&value| half(value).to_le_bytes()));
            }
            Self::Int8 => {
                let largest = row.iter().fold(0f32, |most, value| most.max(value.abs()));
                // The least scale whose inverse is finite.
                let scale = (largest / 127.).max(f32::MIN_POSITIVE);
                scales.extend([scale]);
                let quantize = |value: &f32| {
                    let quantized = (value / scale).clamp(-127., 127.) + ROUND - ROUND;
                    quantized as i8 as u8
                };
                bytes.extend(row.iter().map(quantize));
            }
            Self::Bits => bytes.extend(row.chunks(8).map(|eight| {
                let bits = eight.iter().enumerate();
                bits.fold(0, |byte, (at, value)| byte | u8::from(*value >= 0.) << at)
            })),
        }
        Ok(())
    }
}

/// The nearest 16-bit float of a number within their range, ties to even.
fn half(value: f32) -> u16 {
    let sign = (value.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = value.abs();
    // Below 2^-14, 16-bit floats are multiples of 2^-24: adding a number whose
    // last bit is that rounds to them.
    if magnitude < f32::from_bits((127 - 14) << 23) {
        let unit = f32::from_bits((127 - 1) << 23);
        return sign | ((magnitude + unit).to_bits() - unit.to_bits()) as u16;
    }
    let bits = magnitude.to_bits() - ((127 - 15) << 23);
    let rounded = bits + 0xfff + (bits >> 13 & 1);
    sign | (rounded >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(half: u16) -> f64 {
        let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f64::from(half & 0x3ff));
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            _ => (1024. + fraction) * 2f64.powi(exponent - 25),
        };
        if half >> 15 == 1 {
            -magnitude
        } else {
            magnitude
        }
    }

    #[test]
    fn halves_are_the_nearest() {
        for bits in 0..0x7c00u16 {
            for sign in [0, 0x8000] {
                assert_eq!(half(float(bits | sign) as f32), bits | sign);
            }
        }
        for bits in 0..0x7bffu16 {
            let (low, high) = (float(bits), float(bits + 1));
            let even = bits + (bits & 1);
            assert_eq!(half(((low + high) / 2.) as f32), even, "{bits}");
            assert_eq!(half((low * 0.51 + high * 0.49) as f32), bits);
            assert_eq!(half((low * 0.49 + high * 0.51) as f32), bits + 1);
        }
    }
}
