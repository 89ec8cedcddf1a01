//! Rows of a table, by their numbers.

use bytes::Bytes;

use super::WeightType;
use crate::threads::{Parallel, Shared, ranges};

/// A table of which rows are looked up, as a model file has it.
///
/// With 8 bits it stays so in memory; rows become floats when they are looked
/// up: `(level - zero_point) * scale`.
#[derive(Clone, Debug)]
pub struct Embedding {
    bytes: Bytes,
    rows: usize,
    columns: usize,
    levels: Option<Levels>,
}

/// What 8-bit levels of a table stand for.
#[derive(Clone, Debug)]
pub struct Levels {
    /// The type of the levels.
    pub weight_type: WeightType,
    /// What has a scale, and a zero point, of its own.
    pub scaled: Scaled,
    /// One for the table, or for each row or column.
    pub scales: Vec<f32>,
    /// As many, one for the table, or none; in the type of the levels.
    pub zero_points: Vec<u8>,
}

/// What has a scale of its own, where there is not one for the whole table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scaled {
    /// Each row.
    Rows,
    /// Each column.
    Columns,
}

/// Rows of a task, so that threads are not woken for a few.
const ROWS_A_TASK: usize = 64;

impl Embedding {
    /// A table of `[rows, columns]`, row-major: 32-bit floats in the order of
    /// bytes that ONNX has, or levels of one byte. `None` where sizes do not
    /// fit each other.
    pub fn new(bytes: Bytes, [rows, columns]: [usize; 2], levels: Option<Levels>) -> Option<Self> {
        let count = rows.checked_mul(columns)?;
        let fits = match &levels {
            None => Some(bytes.len()) == count.checked_mul(size_of::<f32>()),
            Some(levels) => {
                let each = match levels.scaled {
                    Scaled::Rows => rows,
                    Scaled::Columns => columns,
                };
                let is_count = |count: usize| count == 1 || count == each;
                let zeros = levels.zero_points.len();
                bytes.len() == count
                    && is_count(levels.scales.len())
                    && (zeros == 0 || is_count(zeros))
            }
        };
        (fits && count > 0).then_some(Self {
            bytes,
            rows,
            columns,
            levels,
        })
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Writes `[ids, columns]`. Negative numbers count from the last row, as
    /// in ONNX.
    ///
    /// # Errors
    /// The first number that no row has.
    ///
    /// # Panics
    /// If there is not a row of `out` for each id.
    pub fn run(&self, ids: &[i64], out: &mut [f32], threads: &dyn Parallel) -> Result<(), i64> {
        assert_eq!(
            Some(out.len()),
            ids.len().checked_mul(self.columns),
            "a row for each"
        );
        if let Some(&id) = ids.iter().find(|&&id| self.place(id).is_none()) {
            return Err(id);
        }
        let parts = ranges(
            ids.len(),
            (ids.len() / ROWS_A_TASK).min(4 * threads.threads()),
        );
        let out = Shared::new(out);
        threads.run(parts.len(), &|at| {
            let part = parts[at].clone();
            let range = part.start * self.columns..part.end * self.columns;
            // SAFETY: the ranges do not overlap.
            let out = unsafe { out.part(range) };
            for (&id, out) in ids[part].iter().zip(out.chunks_exact_mut(self.columns)) {
                self.read(self.place(id).unwrap_or(0), out);
            }
        });
        Ok(())
    }

    fn place(&self, id: i64) -> Option<usize> {
        let id = if id < 0 {
            id.checked_add(self.rows as i64)?
        } else {
            id
        };
        usize::try_from(id).ok().filter(|&row| row < self.rows)
    }

    fn read(&self, row: usize, out: &mut [f32]) {
        let Some(levels) = &self.levels else {
            let size = self.columns * size_of::<f32>();
            return copy(&self.bytes[row * size..(row + 1) * size], out);
        };
        let bytes = &self.bytes[row * self.columns..(row + 1) * self.columns];
        let values = out.iter_mut().zip(bytes);
        let kind = levels.weight_type;
        match levels.scaled {
            Scaled::Rows => {
                let (scale, zero) = (of(&levels.scales, row), levels.zero(row));
                for (out, &byte) in values {
                    *out = (i32::from(kind.signed(byte)) - zero) as f32 * scale;
                }
            }
            Scaled::Columns => {
                for (at, (out, &byte)) in values.enumerate() {
                    let level = i32::from(kind.signed(byte)) - levels.zero(at);
                    *out = level as f32 * of(&levels.scales, at);
                }
            }
        }
    }
}

impl Levels {
    /// In the range that levels are moved to.
    fn zero(&self, at: usize) -> i32 {
        let zero = match self.zero_points.as_slice() {
            [] => 0,
            zeros => of(zeros, at),
        };
        i32::from(self.weight_type.signed(zero))
    }
}

/// Copies floats from their bytes, as many as `out` has.
fn copy(bytes: &[u8], out: &mut [f32]) {
    let size = size_of_val(out);
    // SAFETY: all of the bytes of `out`, and any pattern of them is floats.
    let places = unsafe { std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<u8>(), size) };
    places.copy_from_slice(bytes);
    if cfg!(target_endian = "big") {
        for value in out {
            *value = f32::from_bits(value.to_bits().swap_bytes());
        }
    }
}

/// The one that there is for all, or the one at a place.
fn of<T: Copy>(values: &[T], at: usize) -> T {
    match values {
        &[one] => one,
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
    fn expected(bytes: &[u8], levels: Option<&Levels>, id: usize, column: usize) -> f64 {
        let at = id * COLUMNS + column;
        let Some(levels) = levels else {
            let bytes = [0, 1, 2, 3].map(|byte| bytes[4 * at + byte]);
            return f64::from(f32::from_le_bytes(bytes));
        };
        let value = |byte: u8| match levels.weight_type {
            WeightType::Int8 => f64::from(byte as i8),
            WeightType::Uint8 => f64::from(byte),
        };
        let own = match levels.scaled {
            Scaled::Rows => id,
            Scaled::Columns => column,
        };
        let zero = match levels.zero_points.len() {
            0 => 0.,
            1 => value(levels.zero_points[0]),
            _ => value(levels.zero_points[own]),
        };
        let scale = levels.scales[if levels.scales.len() == 1 { 0 } else { own }];
        (value(bytes[at]) - zero) * f64::from(scale)
    }

    fn check(bytes: Vec<u8>, levels: Option<Levels>) {
        let table = Embedding::new(bytes.clone().into(), [ROWS, COLUMNS], levels.clone());
        let table = table.expect("sizes fit");
        // More than one task, and rows from the end.
        let ids: Vec<i64> = (0..300)
            .map(|at| (at * 7) % (2 * ROWS as i64) - ROWS as i64)
            .collect();
        let mut found = vec![f32::NAN; ids.len() * COLUMNS];
        table.run(&ids, &mut found, &Serial).expect("known ids");
        for (at, found) in found.iter().enumerate() {
            let id = ids[at / COLUMNS].rem_euclid(ROWS as i64) as usize;
            let expected = expected(&bytes, levels.as_ref(), id, at % COLUMNS);
            assert!((f64::from(*found) - expected).abs() < 1e-6 * expected.abs().max(1.));
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at * 89 + at / 7) as u8).collect()
    }

    #[test]
    fn rows_of_floats() {
        let floats = (0..ROWS * COLUMNS).map(|at| (at as f32).sin());
        check(floats.flat_map(f32::to_le_bytes).collect(), None);
    }

    #[test]
    fn rows_of_levels() {
        for weight_type in [WeightType::Int8, WeightType::Uint8] {
            for scaled in [Scaled::Rows, Scaled::Columns] {
                let each = if scaled == Scaled::Rows {
                    ROWS
                } else {
                    COLUMNS
                };
                for scales in [1, each] {
                    for zeros in [0, 1, each] {
                        let levels = Levels {
                            weight_type,
                            scaled,
                            scales: (1..=scales).map(|at| at as f32 * 0.01).collect(),
                            zero_points: bytes(zeros + 3)[3..].to_vec(),
                        };
                        check(bytes(ROWS * COLUMNS), Some(levels));
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_without_a_row() {
        let table = Embedding::new(bytes(4 * ROWS * COLUMNS).into(), [ROWS, COLUMNS], None);
        let table = table.expect("sizes fit");
        for id in [ROWS as i64, -(ROWS as i64) - 1, i64::MAX, i64::MIN] {
            let mut out = vec![0.; 2 * COLUMNS];
            assert_eq!(table.run(&[0, id], &mut out, &Serial), Err(id));
        }
    }

    #[test]
    fn sizes_that_do_not_fit() {
        let levels = |scales: usize, zeros: usize| Levels {
            weight_type: WeightType::Int8,
            scaled: Scaled::Rows,
            scales: vec![1.; scales],
            zero_points: vec![0; zeros],
        };
        let new = |count: usize, levels: Option<Levels>| {
            Embedding::new(bytes(count).into(), [ROWS, COLUMNS], levels)
        };
        let count = ROWS * COLUMNS;
        assert!(new(4 * count, None).is_some() && new(count, Some(levels(ROWS, 0))).is_some());
        assert!(new(count, None).is_none());
        assert!(new(count - 1, Some(levels(1, 0))).is_none());
        assert!(new(count, Some(levels(0, 0))).is_none());
        assert!(new(count, Some(levels(COLUMNS, 0))).is_none());
        assert!(new(count, Some(levels(1, 2))).is_none());
        assert!(Embedding::new(Bytes::new(), [usize::MAX, 8], None).is_none());
        assert!(Embedding::new(Bytes::new(), [0, 8], None).is_none());
    }
}
