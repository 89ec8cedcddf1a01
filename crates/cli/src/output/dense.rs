//! Dense vectors in fewer bytes, in files of tensors.
//!
//! Source: sentence-transformers 6.2, `util/quantization.py`.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use multivec::DenseEmbedding;
use multivec::corpus::VectorPrecision;
use multivec::dense::{Int8Ranges, to_binary, to_f16, to_int8};

/// Where a file's metadata has the ranges of its integers, a list of the
/// smallest values and one of the largest.
pub(super) const RANGES: &str = "int8_ranges";

/// Rows of 32-bit floats that are written in another precision.
pub(super) struct Vectors<'a> {
    pub(super) rows: &'a mut File,
    pub(super) dim: usize,
}

impl Vectors<'_> {
    /// The ranges of all rows.
    pub(super) fn ranges(&mut self) -> io::Result<Int8Ranges> {
        let mut found: Option<Int8Ranges> = None;
        self.each(|row| match &mut found {
            None => {
                found = Some(Int8Ranges::of_one(&row));
                Ok(())
            }
            Some(ranges) => ranges.include(&row).map_err(io::Error::other),
        })?;
        found.ok_or_else(|| io::Error::other("expected a text or more for the ranges of integers"))
    }

    /// Writes all rows.
    pub(super) fn write(
        &mut self,
        out: &mut impl Write,
        precision: VectorPrecision,
        ranges: Option<&Int8Ranges>,
    ) -> io::Result<()> {
        self.each(|row| {
            let bytes: Vec<u8> = match (precision, ranges) {
                (VectorPrecision::F16, _) => to_f16(&row)
                    .into_iter()
                    .flat_map(u16::to_le_bytes)
                    .collect(),
                (VectorPrecision::Bits, _) => to_binary(&row),
                (VectorPrecision::Int8, Some(ranges)) => {
                    let levels = to_int8(&row, ranges).map_err(io::Error::other)?;
                    levels.into_iter().flat_map(i8::to_le_bytes).collect()
                }
                _ => row.values.into_iter().flat_map(f32::to_le_bytes).collect(),
            };
            out.write_all(&bytes)
        })
    }

    fn each(&mut self, mut take: impl FnMut(DenseEmbedding) -> io::Result<()>) -> io::Result<()> {
        let size = self.rows.seek(SeekFrom::End(0))?;
        self.rows.seek(SeekFrom::Start(0))?;
        let mut rows = BufReader::new(&mut *self.rows);
        let mut bytes = vec![0; self.dim * size_of::<f32>()];
        for _ in 0..size / (bytes.len() as u64).max(1) {
            rows.read_exact(&mut bytes)?;
            let values = bytes.as_chunks::<4>().0.iter();
            take(DenseEmbedding::new(
                values.map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            ))?;
        }
        Ok(())
    }
}
