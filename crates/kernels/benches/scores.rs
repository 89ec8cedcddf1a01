//! MaxSim in each format against the matrix of all products, in turns:
//! `cargo bench -p multivec-kernels --bench scores`.
//!
//! Prints median and least time of each, for one thread and for two. On a machine
//! that does other things as well, the least is nearer to what the kernels can do.

#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Instant;

use multivec_kernels::sample::{LIMIT, numbers};
use multivec_kernels::{
    DocumentRows, Documents, MaxSim, Parallel, QueryFormat, RowFormat, Serial, ThreadPool, bytes_of,
};
use ndarray::ArrayView2;

const COLUMNS: usize = 128;
const QUERY_ROWS: usize = 32;
const ROUNDS: usize = 31;
/// Documents, and rows of each.
const SHAPES: [(usize, usize); 4] = [(1000, 300), (1000, 60), (100, 300), (20_000, 60)];

/// Rows of documents in a format.
struct Stored {
    name: &'static str,
    format: RowFormat,
    query: QueryFormat,
    bytes: Vec<u8>,
    scales: Vec<u8>,
}

impl Stored {
    fn new(name: &'static str, format: RowFormat, rows: &[f32]) -> Self {
        let (mut bytes, mut scales) = (Vec::new(), Vec::new());
        match format {
            RowFormat::Halves => {
                // Any finite numbers do.
                bytes.extend(rows.iter().flat_map(|value| {
                    let number = (value.abs() * 1024.) as u16 | 0x3000;
                    number.to_ne_bytes()
                }));
            }
            RowFormat::Integers => {
                bytes.extend(rows.iter().map(|value| (value * 127.) as i8 as u8));
                scales.extend_from_slice(bytes_of(&vec![1. / 127.; rows.len() / COLUMNS]));
            }
            RowFormat::Bits => bytes.extend(rows.chunks(8).map(|eight| {
                let bits = eight.iter().enumerate();
                bits.map(|(at, value)| u8::from(*value >= 0.) << at)
                    .sum::<u8>()
            })),
            _ => bytes.extend_from_slice(bytes_of(rows)),
        }
        let query = match format {
            RowFormat::Integers | RowFormat::Bits => QueryFormat::Integers,
            _ => QueryFormat::Floats,
        };
        Self {
            name,
            format,
            query,
            bytes,
            scales,
        }
    }
}

/// A matrix of products for each document, then its largest one by one.
fn matrices(query: &[f32], rows: &[f32], length: usize) -> Vec<f32> {
    let query = ArrayView2::from_shape((QUERY_ROWS, COLUMNS), query).expect("whole rows");
    rows.chunks(length * COLUMNS)
        .map(|rows| {
            let rows = ArrayView2::from_shape((length, COLUMNS), rows).expect("whole rows");
            let products = query.dot(&rows.t());
            let best = products.rows().into_iter().map(|row| {
                row.iter().fold(
                    f32::NEG_INFINITY,
                    |most, &next| if next > most { next } else { most },
                )
            });
            best.sum()
        })
        .collect()
}

fn main() {
    let values: Vec<f32> = numbers()
        .map(|number| (number as f64 / LIMIT as f64 * 2. - 1.) as f32)
        .take(1 << 20)
        .collect();
    let query: Vec<f32> = values[5..5 + QUERY_ROWS * COLUMNS].to_vec();
    let mut two = ThreadPool::default();
    two.grow_to(2).expect("a thread");
    for (count, length) in SHAPES {
        let size = count * length * COLUMNS;
        let rows: Vec<f32> = values.iter().copied().cycle().take(size).collect();
        let ends: Vec<usize> = (1..=count).map(|at| at * length).collect();
        let stored = [
            ("fp32", RowFormat::Floats),
            ("fp16", RowFormat::Halves),
            ("int8", RowFormat::Integers),
            ("bits", RowFormat::Bits),
        ]
        .map(|(name, format)| Stored::new(name, format, &rows));
        let mut names = vec!["matrix".to_owned()];
        for stored in &stored {
            names.extend([1, 2].map(|threads| format!("{} x{threads}", stored.name)));
        }
        let mut times = vec![Vec::new(); names.len()];
        let mut out = vec![0.; count];
        for _ in 0..ROUNDS {
            let start = Instant::now();
            black_box(matrices(&query, &rows, length));
            times[0].push(start.elapsed());
            for (at, stored) in stored.iter().enumerate() {
                let documents = Documents {
                    rows: DocumentRows {
                        format: stored.format,
                        bytes: &stored.bytes,
                        scales: &stored.scales,
                    },
                    ends: &ends,
                };
                let lent: [&dyn Parallel; 2] = [&Serial, &two];
                for (threads, lent) in lent.into_iter().enumerate() {
                    let start = Instant::now();
                    let packed = MaxSim::new(&[&query], COLUMNS, stored.query);
                    packed.scores(documents, &mut out, lent);
                    black_box(&out);
                    times[1 + 2 * at + threads].push(start.elapsed());
                }
            }
        }
        println!("{count} x {length}");
        for (name, times) in names.iter().zip(&mut times) {
            times.sort();
            println!(
                "  {name:10} {:8.2} ms, least {:8.2}",
                times[ROUNDS / 2].as_secs_f64() * 1e3,
                times[0].as_secs_f64() * 1e3
            );
        }
    }
}
