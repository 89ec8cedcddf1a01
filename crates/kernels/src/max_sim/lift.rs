//! Rows of documents as products read them.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, Strided};
use super::pack::Packed;
use super::{DocumentRows, RowFormat};

/// Rows of a block, in whichever of the two forms products read.
#[derive(Default)]
pub(super) struct Lifted {
    floats: Aligned<f32>,
    /// `[rows, depth]` of [`Isa::Quantized`].
    integers: Aligned<u8>,
    /// `[rows, depth]`
    wide: Aligned<i16>,
}

/// What is added to signed integers where they are stored.
#[inline(always)]
pub(super) fn offset<I: Isa>() -> i32 {
    if I::CENTRED { 0 } else { 128 - I::OFFSET }
}

impl Lifted {
    /// Rows for the product of floats. Those that are floats already stay where
    /// they are.
    #[inline(always)]
    pub(super) fn floats<'a>(
        &'a mut self,
        rows: DocumentRows<'a>,
        columns: usize,
    ) -> Strided<*const f32> {
        let count = rows.bytes.len() / rows.format.row_size(columns).max(1);
        if rows.format == RowFormat::Floats && rows.bytes.as_ptr().cast::<f32>().is_aligned() {
            return Strided {
                first: rows.bytes.as_ptr().cast(),
                stride: columns,
            };
        }
        self.floats.resize(count * columns, 0.);
        match rows.format {
            RowFormat::Floats => {
                let (values, _) = rows.bytes.as_chunks::<4>();
                for (place, value) in self.floats.iter_mut().zip(values) {
                    *place = f32::from_ne_bytes(*value);
                }
            }
            RowFormat::Halves => {
                let (values, _) = rows.bytes.as_chunks::<2>();
                for (place, value) in self.floats.iter_mut().zip(values) {
                    *place = half(u16::from_ne_bytes(*value));
                }
            }
            RowFormat::Integers => {
                for (place, value) in self.floats.iter_mut().zip(rows.bytes) {
                    *place = f32::from(*value as i8);
                }
            }
            RowFormat::Bits => {
                let bytes = rows.bytes.chunks_exact(columns.div_ceil(8).max(1));
                for (places, bytes) in self.floats.chunks_exact_mut(columns.max(1)).zip(bytes) {
                    for (places, byte) in places.chunks_mut(8).zip(bytes) {
                        for (at, place) in places.iter_mut().enumerate() {
                            *place = if byte >> at & 1 == 1 { 1. } else { -1. };
                        }
                    }
                }
            }
        }
        Strided {
            first: self.floats.as_ptr(),
            stride: columns,
        }
    }

    /// Rows for the product of integers: integers plus [`offset`], or bits, each
    /// padded to `depth` with anything.
    #[inline(always)]
    pub(super) fn integers<I: Isa>(
        &mut self,
        isa: I,
        rows: DocumentRows<'_>,
        packed: &Packed,
    ) -> Strided<*const I::Quantized> {
        let (columns, depth) = (packed.columns, packed.depth);
        let size = rows.format.row_size(columns).max(1);
        let count = rows.bytes.len() / size;
        self.integers
            .resize(count * depth * size_of::<I::Quantized>(), 0);
        let first = self.integers.as_mut_ptr();
        for (at, row) in rows.bytes.chunks_exact(size).enumerate() {
            // SAFETY: the buffer has room for `count` rows of `depth` values of one
            // or of two bytes, of which `columns` are at most all. Any bits are a
            // value.
            unsafe {
                let to = first.add(at * depth * size_of::<I::Quantized>());
                match (rows.format, size_of::<I::Quantized>()) {
                    (RowFormat::Bits, _) => {
                        let to = to.cast::<I::Quantized>();
                        spread(isa, row, std::slice::from_raw_parts_mut(to, columns));
                    }
                    (_, 1) => {
                        let to = std::slice::from_raw_parts_mut(to, columns);
                        for (place, value) in to.iter_mut().zip(row) {
                            *place = value ^ offset::<I>() as u8;
                        }
                    }
                    _ => {
                        let to = std::slice::from_raw_parts_mut(to.cast::<i16>(), columns);
                        for (place, value) in to.iter_mut().zip(row) {
                            *place = i16::from(*value as i8);
                        }
                    }
                }
            }
        }
        Strided {
            first: first.cast_const().cast(),
            stride: depth,
        }
    }

    /// Rows of integers in 16 bits, each padded to `depth` with anything.
    #[inline(always)]
    pub(super) fn wide(&mut self, rows: DocumentRows<'_>, packed: &Packed) -> Strided<*const i16> {
        let (columns, depth) = (packed.columns, packed.depth);
        let count = rows.bytes.len() / columns.max(1);
        self.wide.resize(count * depth, 0);
        let places = self.wide.chunks_exact_mut(depth.max(1));
        for (places, row) in places.zip(rows.bytes.chunks_exact(columns.max(1))) {
            for (place, value) in places.iter_mut().zip(row) {
                *place = i16::from(*value as i8);
            }
        }
        Strided {
            first: self.wide.as_ptr(),
            stride: depth,
        }
    }
}

/// 0 or 1 for each bit of a row, as products read them.
#[inline(always)]
fn spread<I: Isa>(isa: I, row: &[u8], to: &mut [I::Quantized]) {
    let (places, rest) = to.as_chunks_mut::<32>();
    let (fours, last) = row.split_at(4 * places.len());
    for (places, four) in places.iter_mut().zip(fours.as_chunks::<4>().0) {
        isa.spread(*four, places);
    }
    if !rest.is_empty() {
        let mut four = [0; 4];
        let mut places = [I::Quantized::default(); 32];
        four[..last.len()].copy_from_slice(last);
        isa.spread(four, &mut places);
        rest.copy_from_slice(&places[..rest.len()]);
    }
}

/// A finite 16-bit float. A product with a power of two scales its exponent, and
/// is exact for subnormal numbers too.
#[inline(always)]
fn half(bits: u16) -> f32 {
    const SCALE: f32 = f32::from_bits((127 + 112) << 23);
    let bits = u32::from(bits);
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * SCALE;
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_widened_exactly() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
            if exponent == 0x1f {
                continue;
            }
            let magnitude = match exponent {
                0 => fraction * 2f64.powi(-24),
                _ => (1024. + fraction) * 2f64.powi(exponent - 25),
            };
            let expected = if bits >> 15 == 1 {
                -magnitude
            } else {
                magnitude
            };
            assert_eq!(half(bits).to_bits(), (expected as f32).to_bits(), "{bits}");
        }
    }
}
