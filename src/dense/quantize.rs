//! Dense vectors in fewer bytes.
//!
//! Source: sentence-transformers 6.2, `util/quantization.py`.

use super::DenseEmbedding;
use crate::error::{Error, Result};

/// Levels of 8 bits between the smallest and the largest value.
const STEPS: f32 = 255.;

/// The range of each column, from which its 256 levels follow.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Int8Ranges {
    /// The smallest value of each column.
    pub low: Vec<f32>,
    /// The largest value of each column.
    pub high: Vec<f32>,
}

impl Int8Ranges {
    /// The ranges of embeddings such as those that will be quantized.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer than two embeddings,
    /// [`Error::DimensionMismatch`] if they differ in length.
    pub fn of(embeddings: &[DenseEmbedding]) -> Result<Self> {
        let [first, rest @ ..] = embeddings else {
            return Err(too_few(0));
        };
        if rest.is_empty() {
            return Err(too_few(1));
        }
        let mut ranges = Self::of_one(first);
        for other in rest {
            ranges.include(other)?;
        }
        Ok(ranges)
    }

    /// Ranges that were kept.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if there are not as many of both.
    pub fn new(low: Vec<f32>, high: Vec<f32>) -> Result<Self> {
        if low.len() != high.len() {
            return Err(Error::dimension_mismatch("ranges", low.len(), high.len()));
        }
        Ok(Self { low, high })
    }

    /// The ranges of one embedding, to [include](Self::include) others in.
    pub fn of_one(embedding: &DenseEmbedding) -> Self {
        Self {
            low: embedding.values.clone(),
            high: embedding.values.clone(),
        }
    }

    /// Widens the ranges by an embedding.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] if it is of another length.
    pub fn include(&mut self, embedding: &DenseEmbedding) -> Result<()> {
        check_dim(self.low.len(), embedding)?;
        let ranges = self.low.iter_mut().zip(&mut self.high);
        for ((low, high), &value) in ranges.zip(&embedding.values) {
            *low = low.min(value);
            *high = high.max(value);
        }
        Ok(())
    }
}

fn too_few(found: usize) -> Error {
    Error::option("calibration", "two embeddings or more", found)
}

fn check_dim(expected: usize, embedding: &DenseEmbedding) -> Result<()> {
    match embedding.dim() {
        found if found == expected => Ok(()),
        found => Err(Error::dimension_mismatch("embedding", expected, found)),
    }
}

/// One of 256 levels for each column, from -128 on. Values outside of the
/// ranges get the nearest level.
///
/// # Errors
/// [`Error::DimensionMismatch`] if the ranges are of other embeddings.
pub fn to_int8(embedding: &DenseEmbedding, ranges: &Int8Ranges) -> Result<Vec<i8>> {
    check_dim(ranges.low.len().min(ranges.high.len()), embedding)?;
    let ranges = ranges.low.iter().zip(&ranges.high);
    let levels = embedding.values.iter().zip(ranges).map(|(x, (low, high))| {
        let step = (high - low) / STEPS;
        let step = if step == 0. { 1. } else { step };
        (((x - low) / step).floor().clamp(0., STEPS) - 128.) as i8
    });
    Ok(levels.collect())
}

/// A bit for each column, set for values above 0: 8 columns a byte, the first
/// in the highest bit, the last byte filled up with zeros.
pub fn to_binary(embedding: &DenseEmbedding) -> Vec<u8> {
    let bytes = embedding.values.chunks(8).map(|columns| {
        let bits = columns.iter().enumerate();
        bits.fold(0, |byte, (at, &value)| {
            byte | u8::from(value > 0.) << (7 - at)
        })
    });
    bytes.collect()
}

/// The nearest 16-bit floats, as their bits.
pub fn to_f16(embedding: &DenseEmbedding) -> Vec<u16> {
    embedding.values.iter().map(|&value| f16(value)).collect()
}

/// Rounds to the nearest, ties to even.
fn f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    match magnitude {
        0x7f80_0001.. => sign | 0x7e00,
        // 65,520 and more round to infinity.
        0x477f_f000.. => sign | 0x7c00,
        // Normal numbers: the exponent's bias is 112 less.
        0x3880_0000.. => {
            let rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
            sign | ((rounded >> 13) - (112 << 10)) as u16
        }
        // Multiples of 2^-24, which addition to 0.5 rounds to.
        _ => {
            let rounded = f32::from_bits(magnitude) + 0.5;
            sign | (rounded.to_bits() - 0.5f32.to_bits()) as u16
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_ranges() {
        let embeddings = [[0., -1.], [2.55, 1.], [1., 0.]];
        let embeddings = embeddings.map(|values| DenseEmbedding::new(values.to_vec()));
        let ranges = Int8Ranges::of(&embeddings).expect("they are of one length");
        let levels = |values: [f32; 2]| {
            to_int8(&DenseEmbedding::new(values.to_vec()), &ranges).expect("two columns")
        };
        assert_eq!(levels([0., -1.]), [-128, -128]);
        assert_eq!(levels([2.56, 1.1]), [127, 127]);
        assert_eq!(levels([-5., 0.]), [-128, -1]);
        assert_eq!(levels([1.005, 0.]), [-28, -1]);
    }

    #[test]
    fn columns_that_do_not_vary_have_one_level() {
        let same = [DenseEmbedding::new(vec![3.]), DenseEmbedding::new(vec![3.])];
        let ranges = Int8Ranges::of(&same).expect("two embeddings");
        assert_eq!(to_int8(&same[0], &ranges).expect("one column"), [-128]);
        assert!(Int8Ranges::of(&same[..1]).is_err());
        let longer = DenseEmbedding::new(vec![1., 2.]);
        assert!(to_int8(&longer, &ranges).is_err());
    }

    #[test]
    fn signs_fill_bytes_from_the_highest_bit() {
        let values = vec![1., -1., 0., 2., 1., 1., 1., -3., 5.];
        let found = to_binary(&DenseEmbedding::new(values));
        assert_eq!(found, [0b1001_1110, 0b1000_0000]);
    }

    #[test]
    fn halves_round_to_the_nearest() {
        let cases = [
            (0f32, 0),
            (-0., 0x8000),
            (1., 0x3c00),
            (-2., 0xc000),
            (65504., 0x7bff),
            (65519.9, 0x7bff),
            (65520., 0x7c00),
            (f32::INFINITY, 0x7c00),
            // Ties go to even.
            (1. + 1. / 2048., 0x3c00),
            (1. + 3. / 2048., 0x3c02),
            // The smallest normal number, the largest subnormal and smaller.
            (6.103_515_6e-5, 0x0400),
            (6.097_555e-5, 0x03ff),
            (5.960_464_5e-8, 1),
            (2.980_232_2e-8, 0),
            (3e-8, 1),
        ];
        for (value, expected) in cases {
            let found = to_f16(&DenseEmbedding::new(vec![value]));
            assert_eq!(found, [expected], "{value}");
        }
        assert_eq!(
            to_f16(&DenseEmbedding::new(vec![f32::NAN]))[0] & 0x7fff,
            0x7e00
        );
    }
}
