//! MaxSim: for each row of a query the largest product with a row of a document,
//! summed over the query. Source: Khattab and Zaharia 2020, arXiv:2004.12832.
//!
//! Queries are packed once and stay in a processor's first caches. Rows of
//! documents are read once: products of a tile are folded into maxima at once, so
//! that no matrix of products is in memory. The products of two rows are summed in
//! the same order wherever they are, so that scores depend neither on threads nor
//! on the documents that are scored together.

mod ahead;
mod lift;
mod lookup;
mod maxima;
mod pack;
mod products;
mod scan;
#[cfg(test)]
mod tests;
mod tiles;

use std::sync::OnceLock;

use super::isa::InstructionSet;
use super::threads::{Parallel, Shared, ranges};
use lookup::Tables;
use pack::Packed;
use scan::{Scan, scan_with};

/// The most columns of rows: products of integers are exact floats up to it.
pub const MAX_COLUMNS: usize = 1024;

/// Multiply-adds that are worth waking a thread for.
const MIN_TASK: usize = 1 << 20;

/// Enough parts for threads to end together; one thread has nobody to wait for.
fn most_parts(threads: &dyn Parallel) -> usize {
    match threads.threads() {
        1 => 1,
        count => 8 * count,
    }
}

/// How the numbers of documents are stored, row after row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RowFormat {
    /// 32-bit floats.
    Floats,
    /// 16-bit floats.
    Halves,
    /// Signed integers of 8 bits in `-127..=127`, and a scale for each row.
    Integers,
    /// The sign of each column, 1 for those that are not negative, from the lowest
    /// bit of a byte on; rows start at bytes. A row stands for `±1 / sqrt(columns)`.
    Bits,
}

impl RowFormat {
    /// Bytes of a row, without its scale.
    pub fn row_size(self, columns: usize) -> usize {
        match self {
            Self::Floats => 4 * columns,
            Self::Halves => 2 * columns,
            Self::Integers => columns,
            Self::Bits => columns.div_ceil(8),
        }
    }
}

/// How the numbers of queries are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryFormat {
    /// 32-bit floats.
    Floats,
    /// Integers of 8 bits with a scale a row, for documents of
    /// [`RowFormat::Integers`] and [`RowFormat::Bits`].
    Integers,
    /// Signs, for documents of [`RowFormat::Bits`]: products are
    /// `1 - 2 * hamming / columns`.
    Bits,
}

/// Rows of documents in memory, such as in a file that is mapped.
#[derive(Clone, Copy, Debug)]
pub struct DocumentRows<'a> {
    /// How rows are stored.
    pub format: RowFormat,
    /// The rows, in the machine's order of bytes. Floats are read fastest where
    /// they are aligned.
    pub bytes: &'a [u8],
    /// The scales of [`RowFormat::Integers`], 32-bit floats; otherwise empty.
    pub scales: &'a [u8],
}

impl<'a> DocumentRows<'a> {
    /// Rows of floats.
    pub fn floats(rows: &'a [f32]) -> Self {
        Self {
            format: RowFormat::Floats,
            bytes: bytes_of(rows),
            scales: &[],
        }
    }
}

/// The bytes of floats, in the machine's order.
pub fn bytes_of(floats: &[f32]) -> &[u8] {
    // SAFETY: floats have no padding, and bytes no alignment.
    unsafe { std::slice::from_raw_parts(floats.as_ptr().cast(), size_of_val(floats)) }
}

/// Documents: their rows, and where each ends.
#[derive(Clone, Copy, Debug)]
pub struct Documents<'a> {
    /// All rows, in the order of the documents.
    pub rows: DocumentRows<'a>,
    /// For each document the row after its last one, counted from the first row
    /// of all.
    pub ends: &'a [usize],
}

/// Queries that documents are compared with.
#[derive(Clone, Debug)]
pub struct MaxSim {
    set: InstructionSet,
    packed: Packed,
    /// Made when sums are looked up for the first time.
    tables: OnceLock<Tables>,
}

impl MaxSim {
    /// Packs queries, each of whole rows of `columns` finite floats.
    ///
    /// # Panics
    /// If a query ends within a row, or integers have more than [`MAX_COLUMNS`].
    pub fn new(queries: &[&[f32]], columns: usize, format: QueryFormat) -> Self {
        Self::with_set(InstructionSet::best(), queries, columns, format)
    }

    fn with_set(
        set: InstructionSet,
        queries: &[&[f32]],
        columns: usize,
        format: QueryFormat,
    ) -> Self {
        Self {
            set,
            packed: Packed::new(set.layout(), queries, columns, format),
            tables: OnceLock::new(),
        }
    }

    /// The number of queries.
    pub fn queries(&self) -> usize {
        self.packed.ends.len()
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.packed.columns
    }

    /// The scores of all documents, `[documents, queries]`: 0 for documents and
    /// queries without rows, NaN if a number of a document or a score is not finite.
    ///
    /// # Panics
    /// If `ends` descend or go beyond the rows, `out` has another size, or the
    /// queries' format is not for such documents.
    pub fn scores(&self, documents: Documents<'_>, out: &mut [f32], threads: &dyn Parallel) {
        let (count, queries) = (documents.ends.len(), self.queries());
        assert_eq!(out.len(), count * queries, "a score for each pair");
        self.packed.check(documents);
        let rows = documents.ends.last().copied().unwrap_or(0);
        let work = rows
            .saturating_mul(self.packed.padded_rows())
            .saturating_mul(self.columns().max(1));
        let parts = (work / MIN_TASK).clamp(1, most_parts(threads));
        // Parts of about as many rows; documents are not divided.
        let bound = |part: usize| match part {
            0 => 0,
            part if part == parts => count,
            part => {
                let row = (rows as u128 * part as u128 / parts as u128) as usize;
                documents.ends.partition_point(|&end| end <= row)
            }
        };
        let scan = Scan {
            packed: &self.packed,
            tables: &self.tables,
            documents,
        };
        let out = Shared::new(out);
        threads.run(parts, &|part| {
            let range = bound(part)..bound(part + 1);
            // SAFETY: parts are ranges that follow each other, and each is passed
            // to one call.
            let out = unsafe { out.part(range.start * queries..range.end * queries) };
            scan_with(self.set, &scan, range, out);
        });
    }

    /// The scores of documents of floats that are each in a place of its own, as
    /// [`scores`](Self::scores) has them.
    ///
    /// # Panics
    /// If a document ends within a row, or `out` has another size.
    pub fn scores_of(&self, documents: &[&[f32]], out: &mut [f32], threads: &dyn Parallel) {
        let (count, queries) = (documents.len(), self.queries());
        assert_eq!(out.len(), count * queries, "a score for each pair");
        let values: usize = documents.iter().map(|document| document.len()).sum();
        let work = values.saturating_mul(self.packed.padded_rows());
        let parts = ranges(count, (work / MIN_TASK).min(most_parts(threads)));
        let out = Shared::new(out);
        threads.run(parts.len(), &|part| {
            for at in parts[part].clone() {
                let rows = documents[at].len().checked_div(self.columns()).unwrap_or(0);
                assert_eq!(documents[at].len(), rows * self.columns(), "whole rows");
                let documents = Documents {
                    rows: DocumentRows::floats(documents[at]),
                    ends: &[rows],
                };
                let scan = Scan {
                    packed: &self.packed,
                    tables: &self.tables,
                    documents,
                };
                // SAFETY: `ranges` do not overlap, and each is passed to one call.
                let out = unsafe { out.part(at * queries..(at + 1) * queries) };
                scan_with(self.set, &scan, 0..1, out);
            }
        });
    }

    /// The products of rows with all rows of the queries, `[rows, query rows]`.
    ///
    /// # Panics
    /// If `rows` end within a row, `out` has another size, or queries are not
    /// [`QueryFormat::Floats`].
    pub fn products(&self, rows: &[f32], out: &mut [f32]) {
        products::products_with(self.set, &self.packed, rows, out);
    }
}
