//! Rows of bits whose sums are looked up, four columns at a time, for as many rows
//! as a vector has bytes. Source of the instructions' use: André, Kermarrec and Le
//! Scouarnec 2015, "Cache locality is not enough: high-performance nearest neighbor
//! search with product quantization fast scan", PVLDB 9(4).
//!
//! Here all sums are exact: those of a query's integers in 8 bits take 9 of a
//! table's bits, which are added up in two parts.

use std::ops::Range;

use super::super::aligned::Aligned;
use super::super::isa::Isa;
use super::pack::Packed;
use super::{DocumentRows, RowFormat};

/// Columns of a table: a number for each of their 16 values.
const COLUMNS: usize = 4;
/// Bytes of a table: the low bits of all its sums, then the others.
const TABLE: usize = 32;
/// The low bits of a sum.
const LOW: u32 = 4;
/// Most vectors of rows of a block.
const VECTORS: usize = 4;
/// The most columns whose sums fit into 16 bits.
const MOST_COLUMNS: usize = u16::MAX as usize / 127;
/// The most bytes of all tables, which are read for each block.
const MOST_BYTES: usize = 1 << 20;
/// The fewest rows that are worth tables.
const MIN_ROWS: usize = 256;

/// Whether sums are looked up for these documents. Vectors of rows are of one
/// document each: they cost as much if it has fewer.
#[inline(always)]
pub(super) fn is_looked_up<I: Isa>(
    packed: &Packed,
    rows: DocumentRows<'_>,
    documents: impl Iterator<Item = Range<usize>>,
) -> bool {
    let tables = table_count(packed) * TABLE * packed.padded_rows();
    let fits = (1..=MOST_COLUMNS).contains(&packed.columns) && tables <= MOST_BYTES;
    if I::LOOKUP == 0 || rows.format != RowFormat::Bits || !fits {
        return false;
    }
    let (mut all, mut padded) = (0, 0);
    for document in documents {
        all += document.len();
        padded += document.len().next_multiple_of(I::LOOKUP.max(1));
    }
    all >= MIN_ROWS && 2 * padded <= 3 * all
}

/// Tables of a row: two for each byte of a document's.
fn table_count(packed: &Packed) -> usize {
    2 * packed.columns.div_ceil(2 * COLUMNS)
}

/// Tables of the integers of queries.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// `[query rows, tables, TABLE]`
    sums: Aligned<u8>,
    /// For each query row, what all columns' least sums add up to.
    least: Vec<i32>,
    /// Tables of a row.
    count: usize,
}

impl Tables {
    pub(super) fn new<I: Isa>(packed: &Packed, panels: &[i8]) -> Self {
        let rows = packed.ends.last().copied().unwrap_or(0);
        let count = table_count(packed);
        let mut tables = Self {
            sums: Aligned::new(),
            least: vec![0; rows],
            count,
        };
        tables.sums.resize(rows * count * TABLE, 0);
        let of_rows = tables.sums.chunks_exact_mut(count * TABLE);
        for (row, (sums, least)) in of_rows.zip(&mut tables.least).enumerate() {
            for (at, table) in sums.chunks_exact_mut(TABLE).enumerate() {
                let numbers: [i32; COLUMNS] = std::array::from_fn(|column| {
                    let column = at * COLUMNS + column;
                    packed.integer::<I>(panels, row, column).into()
                });
                *least += fill(numbers, table);
            }
        }
        tables
    }
}

/// The tables, and what a scan needs to use them.
pub(super) struct Lookup<'a> {
    tables: &'a Tables,
    /// `[tables, vectors, LOOKUP]`: four bits of each row of a block.
    places: Aligned<u8>,
    /// `[query rows, LOOKUP / 2]`: the largest sums so far are among them.
    most: Aligned<u16>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new<I: Isa>(tables: &'a Tables) -> Self {
        let mut lookup = Self {
            tables,
            places: Aligned::new(),
            most: Aligned::new(),
        };
        lookup.places.resize(tables.count * VECTORS * I::LOOKUP, 0);
        lookup.most.resize(tables.least.len() * I::LOOKUP / 2, 0);
        lookup
    }

    /// Passes on each query row and the largest sum of its columns that are 1 in a
    /// row of a document, which has at least one.
    #[inline(always)]
    pub(super) fn largest<I: Isa>(
        &mut self,
        isa: I,
        rows: &[u8],
        mut found: impl FnMut(usize, i32),
    ) {
        self.most.fill(0);
        let block = VECTORS * I::LOOKUP * self.row_size();
        for rows in rows.chunks(block.max(1)) {
            self.block(isa, rows);
        }
        let most = self.most.chunks_exact((I::LOOKUP / 2).max(1));
        for (row, (most, least)) in most.zip(&self.tables.least).enumerate() {
            let most = most.iter().fold(0, |one, other| one.max(*other));
            found(row, i32::from(most) + least);
        }
    }

    /// Bytes of a row of a document.
    #[inline(always)]
    fn row_size(&self) -> usize {
        self.tables.count / 2
    }

    /// Compares the rows of a block.
    #[inline(always)]
    fn block<I: Isa>(&mut self, isa: I, rows: &[u8]) {
        let size = self.row_size();
        let count = rows.len() / size;
        let vectors = count.div_ceil(I::LOOKUP.max(1));
        let all = vectors * I::LOOKUP;
        // The last row again fills a vector, and changes no maximum.
        for row in 0..all {
            let first = row.min(count - 1) * size;
            for (byte, bits) in rows[first..first + size].iter().enumerate() {
                // SAFETY: there are places for all rows of the most vectors.
                unsafe {
                    let place = self.places.as_mut_ptr().add(2 * byte * all + row);
                    *place = bits & 15;
                    *place.add(all) = bits >> LOW;
                }
            }
        }
        let count = self.tables.count;
        let tables = self.tables.sums.chunks_exact((count * TABLE).max(1));
        for (tables, most) in tables.zip(self.most.chunks_exact_mut((I::LOOKUP / 2).max(1))) {
            // SAFETY: both have `count` tables, of as many vectors.
            unsafe {
                isa.look_up(
                    vectors,
                    self.places.as_ptr(),
                    tables.as_ptr(),
                    count,
                    most.as_mut_ptr(),
                )
            }
        }
    }
}

/// Writes the sums of some of four numbers less the least of them, which is
/// returned. Bit `n` of a sum's place says whether number `n` is in it.
fn fill(numbers: [i32; COLUMNS], table: &mut [u8]) -> i32 {
    let least: i32 = numbers.iter().map(|number| number.min(&0)).sum();
    let (low, high) = table.split_at_mut(TABLE / 2);
    let mut sums = [-least; 1 << COLUMNS];
    for at in 0..sums.len() {
        if at > 0 {
            // That of the same numbers without the first.
            sums[at] = sums[at & (at - 1)] + numbers[at.trailing_zeros() as usize];
        }
        (low[at], high[at]) = ((sums[at] & 15) as u8, (sums[at] >> LOW) as u8);
    }
    least
}
