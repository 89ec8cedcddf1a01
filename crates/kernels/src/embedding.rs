//! Embedding tables.

use bytes::Bytes;

use super::WeightType;
use crate::threads::{Parallel, Shared, ranges};

/// An embedding table, `[rows, columns]`, as stored in a model file.
///
/// A quantized table stays in 8 bits in memory. Rows are converted to floats when
/// they are looked up: `(quantized - zero_point) * scale`.
#[derive(Clone, Debug)]
pub struct Embedding {
    bytes: Bytes,
    rows: usize,
    columns: usize,
    quantization: Option<TableQuantization>,
}

/// The quantization parameters of an 8-bit table.
#[derive(Clone, Debug)]
pub struct TableQuantization {
    /// The type of the table's elements.
    pub weight_type: WeightType,
    /// What has a scale, and perhaps a zero point, of its own.
    pub axis: ScaleAxis,
    /// One for the table, or one for each row or column.
    pub scales: Vec<f32>,
    /// One for the table, one for each row or column, or none; of the same type as
    /// the table.
    pub zero_points: Vec<u8>,
}

/// What has a scale of its own, unless there is one for the whole table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScaleAxis {
    /// Each row.
    Rows,
    /// Each column.
    Columns,
}

/// Rows that a task looks up at least, so that no thread is woken for a few.
const MIN_ROWS_PER_TASK: usize = 64;

impl Embedding {
    /// A table of this shape, row-major: 32-bit floats in little endian, as in ONNX,
    /// or one byte per element with a quantization. Returns `None` if sizes
    /// contradict each other.
    pub fn new(
        bytes: Bytes,
        [rows, columns]: [usize; 2],
        quantization: Option<TableQuantization>,
    ) -> Option<Self> {
        let count = rows.checked_mul(columns)?;
        let fits = match &quantization {
            None => Some(bytes.len()) == count.checked_mul(size_of::<f32>()),
            Some(quantization) => {
                let size = match quantization.axis {
                    ScaleAxis::Rows => rows,
                    ScaleAxis::Columns => columns,
                };
                let is_valid = |count: usize| count == 1 || count == size;
                let zero_points = quantization.zero_points.len();
                bytes.len() == count
                    && is_valid(quantization.scales.len())
                    && (zero_points == 0 || is_valid(zero_points))
            }
        };
        (fits && count > 0).then_some(Self {
            bytes,
            rows,
            columns,
            quantization,
        })
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the table.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Looks up rows into `[ids, columns]`. Negative ids count from the end, as in
    /// ONNX's `Gather`.
    ///
    /// # Errors
    /// The first id that is out of range.
    ///
    /// # Panics
    /// If `out` does not have a row for each id.
    pub fn run(&self, ids: &[i64], out: &mut [f32], threads: &dyn Parallel) -> Result<(), i64> {
        assert_eq!(
            Some(out.len()),
            ids.len().checked_mul(self.columns),
            "an output row for each id"
        );
        if let Some(&id) = ids.iter().find(|&&id| self.row(id).is_none()) {
            return Err(id);
        }
        let parts = ranges(
            ids.len(),
            (ids.len() / MIN_ROWS_PER_TASK).min(4 * threads.threads()),
        );
        let out = Shared::new(out);
        threads.run(parts.len(), &|at| {
            let part = parts[at].clone();
            let range = part.start * self.columns..part.end * self.columns;
            // SAFETY: `ranges` returns disjoint ranges of rows, one per task.
            let out = unsafe { out.part(range) };
            for (&id, out) in ids[part].iter().zip(out.chunks_exact_mut(self.columns)) {
                self.read(self.row(id).unwrap_or(0), out);
            }
        });
        Ok(())
    }

    fn row(&self, id: i64) -> Option<usize> {
        let id = if id < 0 {
            id.checked_add(self.rows as i64)?
        } else {
            id
        };
        usize::try_from(id).ok().filter(|&row| row < self.rows)
    }

    fn read(&self, row: usize, out: &mut [f32]) {
        let Some(quantization) = &self.quantization else {
            let size = self.columns * size_of::<f32>();
            return copy(&self.bytes[row * size..(row + 1) * size], out);
        };
        let bytes = &self.bytes[row * self.columns..(row + 1) * self.columns];
        let values = out.iter_mut().zip(bytes);
        let weight_type = quantization.weight_type;
        match quantization.axis {
            ScaleAxis::Rows => {
                let scale = parameter(&quantization.scales, row);
                let zero_point = quantization.zero_point(row);
                for (out, &byte) in values {
                    *out = (i32::from(weight_type.signed(byte)) - zero_point) as f32 * scale;
                }
            }
            ScaleAxis::Columns => {
                for (at, (out, &byte)) in values.enumerate() {
                    let value = i32::from(weight_type.signed(byte)) - quantization.zero_point(at);
                    *out = value as f32 * parameter(&quantization.scales, at);
                }
            }
        }
    }
}

impl TableQuantization {
    /// The zero point, shifted as [`WeightType::signed`] does.
    fn zero_point(&self, at: usize) -> i32 {
        let zero_point = match self.zero_points.as_slice() {
            [] => 0,
            zero_points => parameter(zero_points, at),
        };
        i32::from(self.weight_type.signed(zero_point))
    }
}

/// Copies as many little-endian floats as `out` has.
fn copy(bytes: &[u8], out: &mut [f32]) {
    let size = size_of_val(out);
    // SAFETY: these are all bytes of `out`, which is borrowed, and every pattern of
    // bytes is a float.
    let destination =
        unsafe { std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<u8>(), size) };
    destination.copy_from_slice(bytes);
    if cfg!(target_endian = "big") {
        for value in out {
            *value = f32::from_bits(value.to_bits().swap_bytes());
        }
    }
}

/// A row's or column's parameter, or the only one.
fn parameter<T: Copy>(values: &[T], at: usize) -> T {
    match values {
        &[value] => value,
        all => all[at],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Serial;

    const ROWS: usize = 9;
    const COLUMNS: usize = 5;

    /// The definition, element by element, in 64 bits.
    fn expected(
        bytes: &[u8],
        quantization: Option<&TableQuantization>,
        id: usize,
        column: usize,
    ) -> f64 {
        let at = id * COLUMNS + column;
        let Some(quantization) = quantization else {
            let bytes = [0, 1, 2, 3].map(|byte| bytes[4 * at + byte]);
            return f64::from(f32::from_le_bytes(bytes));
        };
        let value = |byte: u8| match quantization.weight_type {
            WeightType::Int8 => f64::from(byte as i8),
            WeightType::Uint8 => f64::from(byte),
        };
        let of_axis = match quantization.axis {
            ScaleAxis::Rows => id,
            ScaleAxis::Columns => column,
        };
        let zero_point = match quantization.zero_points.len() {
            0 => 0.,
            1 => value(quantization.zero_points[0]),
            _ => value(quantization.zero_points[of_axis]),
        };
        let scale = quantization.scales[if quantization.scales.len() == 1 {
            0
        } else {
            of_axis
        }];
        (value(bytes[at]) - zero_point) * f64::from(scale)
    }

    fn check(bytes: Vec<u8>, quantization: Option<TableQuantization>) {
        let table = Embedding::new(bytes.clone().into(), [ROWS, COLUMNS], quantization.clone());
        let table = table.expect("sizes fit");
        // Enough for several tasks; some count from the end.
        let count = if cfg!(miri) { 9 } else { 300 };
        let ids: Vec<i64> = (0..count)
            .map(|at| (at * 7) % (2 * ROWS as i64) - ROWS as i64)
            .collect();
        let mut found = vec![f32::NAN; ids.len() * COLUMNS];
        table.run(&ids, &mut found, &Serial).expect("known ids");
        for (at, found) in found.iter().enumerate() {
            let id = ids[at / COLUMNS].rem_euclid(ROWS as i64) as usize;
            let expected = expected(&bytes, quantization.as_ref(), id, at % COLUMNS);
            assert!((f64::from(*found) - expected).abs() < 1e-6 * expected.abs().max(1.));
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at * 89 + at / 7) as u8).collect()
    }

    #[test]
    fn looks_up_floats() {
        let floats = (0..ROWS * COLUMNS).map(|at| (at as f32).sin());
        check(floats.flat_map(f32::to_le_bytes).collect(), None);
    }

    #[test]
    fn looks_up_8_bit_rows() {
        for weight_type in [WeightType::Int8, WeightType::Uint8] {
            for axis in [ScaleAxis::Rows, ScaleAxis::Columns] {
                let size = if axis == ScaleAxis::Rows {
                    ROWS
                } else {
                    COLUMNS
                };
                for scales in [1, size] {
                    for zeros in [0, 1, size] {
                        let quantization = TableQuantization {
                            weight_type,
                            axis,
                            scales: (1..=scales).map(|at| at as f32 * 0.01).collect(),
                            zero_points: bytes(zeros + 3)[3..].to_vec(),
                        };
                        check(bytes(ROWS * COLUMNS), Some(quantization));
                    }
                }
            }
        }
    }

    #[test]
    fn ids_out_of_range_are_errors() {
        let table = Embedding::new(bytes(4 * ROWS * COLUMNS).into(), [ROWS, COLUMNS], None);
        let table = table.expect("sizes fit");
        for id in [ROWS as i64, -(ROWS as i64) - 1, i64::MAX, i64::MIN] {
            let mut out = vec![0.; 2 * COLUMNS];
            assert_eq!(table.run(&[0, id], &mut out, &Serial), Err(id));
        }
    }

    #[test]
    fn contradicting_sizes_are_refused() {
        let quantization = |scales: usize, zeros: usize| TableQuantization {
            weight_type: WeightType::Int8,
            axis: ScaleAxis::Rows,
            scales: vec![1.; scales],
            zero_points: vec![0; zeros],
        };
        let new = |count: usize, quantization: Option<TableQuantization>| {
            Embedding::new(bytes(count).into(), [ROWS, COLUMNS], quantization)
        };
        let count = ROWS * COLUMNS;
        assert!(
            new(4 * count, None).is_some() && new(count, Some(quantization(ROWS, 0))).is_some()
        );
        assert!(new(count, None).is_none());
        assert!(new(count - 1, Some(quantization(1, 0))).is_none());
        assert!(new(count, Some(quantization(0, 0))).is_none());
        assert!(new(count, Some(quantization(COLUMNS, 0))).is_none());
        assert!(new(count, Some(quantization(1, 2))).is_none());
        assert!(Embedding::new(Bytes::new(), [usize::MAX, 8], None).is_none());
        assert!(Embedding::new(Bytes::new(), [0, 8], None).is_none());
    }
}
