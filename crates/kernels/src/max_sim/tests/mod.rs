mod lookup;

use super::*;
use crate::Serial;
use crate::sample::{LIMIT, numbers};

/// Threads that take tasks in another order.
struct Backwards(usize);

impl Parallel for Backwards {
    fn threads(&self) -> usize {
        self.0
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..count).rev().for_each(task);
    }
}

const FORMATS: [RowFormat; 4] = [
    RowFormat::Floats,
    RowFormat::Halves,
    RowFormat::Integers,
    RowFormat::Bits,
];

/// Documents in a format, and the numbers that their bytes stand for.
struct Stored {
    format: RowFormat,
    bytes: Vec<u8>,
    scales: Vec<u8>,
    ends: Vec<usize>,
    /// `[rows, columns]`
    meant: Vec<Vec<f64>>,
}

impl Stored {
    fn new(format: RowFormat, columns: usize, lengths: &[usize]) -> Self {
        let mut stored = Self {
            format,
            bytes: Vec::new(),
            scales: Vec::new(),
            ends: Vec::new(),
            meant: Vec::new(),
        };
        let mut values = values();
        for length in lengths {
            for _ in 0..*length {
                let row: Vec<f32> = values.by_ref().take(columns).collect();
                stored.push(&row);
            }
            stored.ends.push(stored.meant.len());
        }
        stored
    }

    fn push(&mut self, row: &[f32]) {
        let meant = match self.format {
            RowFormat::Floats => {
                self.bytes.extend_from_slice(bytes_of(row));
                row.iter().map(|&value| f64::from(value)).collect()
            }
            RowFormat::Halves => {
                // Multiples of 2^-8 below 2 in magnitude.
                let number = |value: &f32| (value.abs() * 256.) as u16;
                let pairs = row.iter().map(|value| (value, number(value)));
                let halves = pairs.clone().map(|(value, number)| {
                    let sign = if *value < 0. { 0x8000 } else { 0 };
                    let shift = number.max(1).leading_zeros() as u16 - 5;
                    match number {
                        0 => sign,
                        // 256 is 2^0.
                        _ => sign | ((17 - shift) << 10) | ((number << shift) & 0x3ff),
                    }
                });
                self.bytes.extend(halves.flat_map(u16::to_ne_bytes));
                let meant = pairs
                    .map(|(value, number)| f64::from(number) / 256. * f64::from(value.signum()));
                meant.collect()
            }
            RowFormat::Integers => {
                let scale = (row[0].abs() + 0.25) / 127.;
                self.scales.extend_from_slice(&scale.to_ne_bytes());
                let integers = row.iter().map(|value| (value * 127. / 1.5) as i8);
                self.bytes.extend(integers.clone().map(|value| value as u8));
                integers
                    .map(|value| f64::from(value) * f64::from(scale))
                    .collect()
            }
            RowFormat::Bits => {
                let bit = |value: &f32| u8::from(*value >= 0.);
                let byte = |eight: &[f32]| {
                    let bits = eight.iter().enumerate();
                    bits.map(|(at, value)| bit(value) << at).sum::<u8>()
                };
                self.bytes.extend(row.chunks(8).map(byte));
                let size = 1. / (row.len() as f64).sqrt();
                row.iter()
                    .map(|value| (2. * f64::from(bit(value)) - 1.) * size)
                    .collect()
            }
        };
        self.meant.push(meant);
    }

    fn documents(&self) -> Documents<'_> {
        Documents {
            rows: DocumentRows {
                format: self.format,
                bytes: &self.bytes,
                scales: &self.scales,
            },
            ends: &self.ends,
        }
    }

    /// The definition, for rows of a query that stand for `query`.
    fn expected(&self, query: &[Vec<f64>], document: usize) -> f64 {
        let first = document
            .checked_sub(1)
            .map_or(0, |before| self.ends[before]);
        let rows = &self.meant[first..self.ends[document]];
        let product =
            |one: &[f64], other: &[f64]| -> f64 { one.iter().zip(other).map(|(a, b)| a * b).sum() };
        let best = |query: &Vec<f64>| {
            let products = rows.iter().map(|row| product(query, row));
            products.reduce(f64::max).unwrap_or(0.)
        };
        query.iter().map(best).sum()
    }
}

/// Numbers in `-1.5..1.5`.
fn values() -> impl Iterator<Item = f32> {
    numbers().map(|number| (number as f64 / LIMIT as f64 * 3. - 1.5) as f32)
}

fn query(rows: usize, columns: usize) -> Vec<f32> {
    values().skip(12_345).take(rows * columns).collect()
}

/// What the rows of a query stand for in a format.
fn meant(query: &[f32], columns: usize, format: QueryFormat) -> Vec<Vec<f64>> {
    let row = |row: &[f32]| -> Vec<f64> {
        let largest = row.iter().fold(0f32, |most, value| most.max(value.abs()));
        let scale = f64::from(largest / 127.);
        let value = |&value: &f32| match format {
            QueryFormat::Floats => f64::from(value),
            QueryFormat::Integers => {
                (f64::from(value / (largest / 127.))).round_ties_even() * scale
            }
            QueryFormat::Bits => f64::from(value.signum()) / (columns as f64).sqrt(),
        };
        row.iter().map(value).collect()
    };
    query.chunks(columns).map(row).collect()
}

fn query_formats(format: RowFormat) -> &'static [QueryFormat] {
    match format {
        RowFormat::Floats | RowFormat::Halves => &[QueryFormat::Floats],
        RowFormat::Integers => &[QueryFormat::Floats, QueryFormat::Integers],
        RowFormat::Bits => &[
            QueryFormat::Floats,
            QueryFormat::Integers,
            QueryFormat::Bits,
        ],
    }
}

fn sets() -> Vec<InstructionSet> {
    let mut all = InstructionSet::all();
    all.extend([InstructionSet::PLAIN, InstructionSet::BLOCKS]);
    all
}

fn scores(queries: &MaxSim, documents: Documents<'_>, threads: &dyn Parallel) -> Vec<f32> {
    let mut out = vec![f32::NAN; documents.ends.len() * queries.queries()];
    queries.scores(documents, &mut out, threads);
    out
}

#[test]
fn scores_are_the_definition_in_every_format() {
    // Miri takes minutes for more.
    let (all_columns, lengths): (&[usize], &[usize]) = if cfg!(miri) {
        (&[5, 8], &[2, 0, 3])
    } else {
        let columns = &[1, 5, 16, 48, 64, 90, 96, 128, 300, 1024];
        (columns, &[0, 3, 1, 0, 0, 61, 1, 1, 7, 130, 2, 0])
    };
    for &columns in all_columns {
        let queries = [0, 1, 33, 0, 5].map(|rows| query(rows, columns));
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        for format in FORMATS {
            let stored = Stored::new(format, columns, lengths);
            for (set, &query_format) in sets()
                .into_iter()
                .flat_map(|set| query_formats(format).iter().map(move |query| (set, query)))
            {
                let packed = MaxSim::with_set(set, &queries, columns, query_format);
                let found = scores(&packed, stored.documents(), &Serial);
                let meant: Vec<_> = queries
                    .iter()
                    .map(|query| meant(query, columns, query_format))
                    .collect();
                for document in 0..lengths.len() {
                    for (at, query) in meant.iter().enumerate() {
                        let expected = stored.expected(query, document);
                        let found = f64::from(found[document * queries.len() + at]);
                        let tolerance = 1e-4 * (1. + expected.abs() / 10.);
                        assert!(
                            (found - expected).abs() < tolerance,
                            "{set:?} {format:?} {query_format:?} {columns} columns, document \
                             {document}, query {at}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn scores_depend_neither_on_threads_nor_on_neighbours() {
    let columns = if cfg!(miri) { 4 } else { 128 };
    let lengths: Vec<usize> = match cfg!(miri) {
        true => vec![1, 0, 2],
        false => (0..150).map(|at| at * 37 % 101).chain([8192]).collect(),
    };
    let query = query(32, columns);
    for format in FORMATS {
        let stored = Stored::new(format, columns, &lengths);
        let Documents { rows, ends } = stored.documents();
        for &query_format in query_formats(format) {
            let one = MaxSim::new(&[&query], columns, query_format);
            let expected = scores(&one, stored.documents(), &Serial);
            for threads in [2, 3, 16] {
                let found = scores(&one, stored.documents(), &Backwards(threads));
                assert_eq!(found, expected, "{format:?} {query_format:?} {threads}");
            }
            let three = MaxSim::new(&[&query, &query[..columns], &query], columns, query_format);
            let found = scores(&three, stored.documents(), &Serial);
            for (found, expected) in found.chunks(3).zip(&expected) {
                assert_eq!([found[0], found[2]], [*expected; 2]);
            }
            if format == RowFormat::Floats {
                let values: Vec<f32> = rows
                    .bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| f32::from_ne_bytes(*bytes))
                    .collect();
                let mut first = 0;
                let apart: Vec<&[f32]> = ends
                    .iter()
                    .map(|end| {
                        &values[std::mem::replace(&mut first, *end) * columns..end * columns]
                    })
                    .collect();
                let mut found = vec![f32::NAN; apart.len()];
                one.scores_of(&apart, &mut found, &Backwards(3));
                assert_eq!(found, expected);
            }
            // Alone, and at an address that is not aligned.
            let size = format.row_size(columns);
            for (document, &end) in ends.iter().enumerate() {
                let first = document.checked_sub(1).map_or(0, |before| ends[before]);
                let mut bytes = vec![0];
                bytes.extend_from_slice(&rows.bytes[first * size..end * size]);
                let scales = match format {
                    RowFormat::Integers => &rows.scales[first * 4..end * 4],
                    _ => &[],
                };
                let rows = DocumentRows {
                    format,
                    bytes: &bytes[1..],
                    scales,
                };
                let alone = Documents {
                    rows,
                    ends: &[end - first],
                };
                assert_eq!(scores(&one, alone, &Serial), expected[document..=document]);
            }
        }
    }
}

#[test]
fn documents_that_are_not_finite_have_nan() {
    let columns = 20;
    let query = query(3, columns);
    for set in sets() {
        let packed = MaxSim::with_set(set, &[&query], columns, QueryFormat::Floats);
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in 0..6 {
                let mut rows: Vec<f32> = values().take(6 * columns).collect();
                rows[at * columns + 3 * at] = broken;
                let documents = Documents {
                    rows: DocumentRows::floats(&rows),
                    ends: &[1, 4, 4, 6],
                };
                let found = scores(&packed, documents, &Serial);
                let expected = [at == 0, (1..4).contains(&at), false, at >= 4];
                assert_eq!(
                    found.iter().map(|score| score.is_nan()).collect::<Vec<_>>(),
                    expected
                );
            }
        }
    }
}

#[test]
fn scales_that_are_not_finite_have_nan_and_so_have_scores() {
    let columns = 20;
    let query = query(17, columns);
    let bytes = vec![1; 4 * columns];
    for set in sets() {
        for format in [QueryFormat::Floats, QueryFormat::Integers] {
            let packed = MaxSim::with_set(set, &[&query], columns, format);
            for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let scales = [1., 0.5, broken, 1.];
                let rows = DocumentRows {
                    format: RowFormat::Integers,
                    bytes: &bytes,
                    scales: bytes_of(&scales),
                };
                let ends = &[1, 3, 4];
                let found = scores(&packed, Documents { rows, ends }, &Serial);
                assert!(found[1].is_nan() && found[0].is_finite() && found[2].is_finite());
            }
        }
        // Finite numbers whose products are not.
        let large = [f32::MAX, f32::MAX];
        let packed = MaxSim::with_set(set, &[&large], 2, QueryFormat::Floats);
        let documents = Documents {
            rows: DocumentRows::floats(&large),
            ends: &[1],
        };
        assert!(scores(&packed, documents, &Serial)[0].is_nan());
    }
}

#[test]
fn products_are_those_of_all_pairs() {
    let columns = 33;
    let (left, right) = (query(19, columns), query(9, columns));
    for set in sets() {
        let packed = MaxSim::with_set(
            set,
            &[&left[..columns], &left[columns..]],
            columns,
            QueryFormat::Floats,
        );
        let mut found = vec![f32::NAN; 19 * 9];
        packed.products(&right, &mut found);
        for (at, found) in found.into_iter().enumerate() {
            let (row, query) = (at / 19, at % 19);
            let pairs = left[query * columns..][..columns]
                .iter()
                .zip(&right[row * columns..]);
            let expected: f64 = pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!(
                (f64::from(found) - expected).abs() < 1e-5,
                "{set:?} {row} {query}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "rows of all documents")]
fn documents_beyond_the_rows_are_refused() {
    let documents = Documents {
        rows: DocumentRows::floats(&[0.; 8]),
        ends: &[1, 3],
    };
    let packed = MaxSim::new(&[&[0.; 4]], 4, QueryFormat::Floats);
    scores(&packed, documents, &Serial);
}
