//! Rows of bits whose sums are looked up, against products.

use super::*;

#[test]
fn sums_that_are_looked_up_are_those_of_products() {
    if cfg!(miri) {
        return;
    }
    let lengths = [250, 1, 33, 0, 64, 129, 97, 128, 32];
    for columns in [1, 4, 5, 90, 96, 128, 300, 516, 517, 1024] {
        let stored = Stored::new(RowFormat::Bits, columns, &lengths);
        let Documents { rows, ends } = stored.documents();
        let size = RowFormat::Bits.row_size(columns);
        // The largest sums that tables may have, and others.
        let ones = vec![1.; 3 * columns];
        let signs = vec![-1.; columns];
        let turns: Vec<f32> = (0..columns).map(|at| [1., -1.][at % 2]).collect();
        let any = query(35, columns);
        let queries: [&[f32]; 5] = [&ones, &signs, &[], &turns, &any];
        for (set, format) in sets()
            .into_iter()
            .flat_map(|set| [(set, QueryFormat::Integers), (set, QueryFormat::Bits)])
        {
            let packed = MaxSim::with_set(set, &queries, columns, format);
            let together = scores(&packed, stored.documents(), &Serial);
            // Too few rows for tables.
            let alone = ends.iter().enumerate().flat_map(|(document, &end)| {
                let first = document.checked_sub(1).map_or(0, |before| ends[before]);
                let rows = DocumentRows {
                    bytes: &rows.bytes[first * size..end * size],
                    ..rows
                };
                let ends = &[end - first];
                scores(&packed, Documents { rows, ends }, &Serial)
            });
            let alone: Vec<f32> = alone.collect();
            assert_eq!(together, alone, "{set:?} {format:?} {columns} columns");
        }
    }
}
