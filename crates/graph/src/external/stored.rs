//! Floats that a file holds in fewer bits than the graph computes with.

use std::fmt;

use prost::bytes::Bytes;

use super::ExternalLocation;
use crate::onnx::TensorProto;

/// How a file stores the elements of an external tensor of 32-bit floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoredType {
    /// As they are; also for tensors of other types than floats.
    #[default]
    Float32,
    /// IEEE 754 half precision.
    Float16,
    /// The upper halves of 32-bit floats.
    BFloat16,
}

impl StoredType {
    /// Bytes of a stored element.
    pub fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 | Self::BFloat16 => 2,
        }
    }

    /// The name in external tensors, `float32`, `float16` or `bfloat16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::BFloat16 => "bfloat16",
        }
    }

    /// The type of that [`name`](Self::name).
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Float32, Self::Float16, Self::BFloat16];
        all.into_iter().find(|stored| stored.name() == name)
    }

    /// Appends the floats that little-endian bytes hold. Those of a part of an
    /// element at the end are left out.
    pub fn read_floats(self, bytes: &[u8], floats: &mut Vec<f32>) {
        let halves = bytes.as_chunks().0.iter().copied().map(u16::from_le_bytes);
        match self {
            Self::Float32 => {
                let singles = bytes.as_chunks().0.iter().copied();
                floats.extend(singles.map(f32::from_le_bytes));
            }
            Self::Float16 => floats.extend(halves.map(from_half)),
            Self::BFloat16 => {
                floats.extend(halves.map(|bits| f32::from_bits(u32::from(bits) << 16)));
            }
        }
    }

    /// The little-endian bytes of 32-bit floats that stored bytes stand for.
    pub fn widen(self, bytes: Bytes) -> Bytes {
        if self == Self::Float32 {
            return bytes;
        }
        let mut floats = Vec::with_capacity(bytes.len() / self.size());
        self.read_floats(&bytes, &mut floats);
        let wide: Vec<u8> = floats.into_iter().flat_map(f32::to_le_bytes).collect();
        wide.into()
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The bytes of an external tensor as its type has them, from those that its
/// file holds at its place.
pub fn widen_stored(tensor: &TensorProto, stored: Bytes) -> Bytes {
    match ExternalLocation::of(tensor) {
        Some(location) => location.stored.widen(stored),
        None => stored,
    }
}

/// The value of a half-precision float with these bits.
fn from_half(bits: u16) -> f32 {
    const INFINITE: u32 = 0x7c00 << 13;
    // Exponents count from -15 in half, from -127 in single precision.
    let rebias = f32::from_bits((127 + 127 - 15) << 23);
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let magnitude = if magnitude < INFINITE {
        (f32::from_bits(magnitude) * rebias).to_bits()
    } else {
        magnitude | f32::INFINITY.to_bits()
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let magnitude = match exponent {
                0 => fraction * 2f64.powi(-24),
                31 if fraction == 0. => f64::INFINITY,
                31 => f64::NAN,
                _ => (1024. + fraction) * 2f64.powi(exponent - 25),
            };
            let sign = if bits & 0x8000 == 0 { 1. } else { -1. };
            let (found, expected) = (from_half(bits), (sign * magnitude) as f32);
            let is_same = found.to_bits() == expected.to_bits();
            assert!(
                is_same || (found.is_nan() && expected.is_nan()),
                "{bits:#x}"
            );
        }
    }

    #[test]
    fn stored_bytes_are_widened() {
        let widen = |stored: StoredType, bytes: &'static [u8]| {
            stored.widen(Bytes::from_static(bytes)).to_vec()
        };
        let floats = [1f32, -2.5].map(f32::to_le_bytes).concat();
        assert_eq!(widen(StoredType::Float16, &[0, 0x3c, 0, 0xc1]), floats);
        assert_eq!(
            widen(StoredType::BFloat16, &[0x80, 0x3f, 0x20, 0xc0]),
            floats
        );
        assert_eq!(widen(StoredType::Float32, &[1, 2, 3, 4]), [1, 2, 3, 4]);
    }

    #[test]
    fn tensors_say_how_they_are_stored() {
        for stored in [
            StoredType::Float32,
            StoredType::Float16,
            StoredType::BFloat16,
        ] {
            let location = ExternalLocation {
                file: "model.safetensors",
                offset: 8,
                length: Some(4),
                stored,
            };
            let mut tensor = TensorProto::default();
            location.write_to(&mut tensor);
            assert_eq!(ExternalLocation::of(&tensor), Some(location));
            let keys = tensor.external_data.len();
            assert_eq!(keys, if stored == StoredType::Float32 { 3 } else { 4 });
            let wide = widen_stored(&tensor, Bytes::from_static(&[0; 4]));
            assert_eq!(wide.len(), 16 / stored.size());
        }
    }
}
