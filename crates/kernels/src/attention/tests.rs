use super::*;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let number = |at: usize| ((at as f32 + 1.) * (seed as f32 + 0.7)).sin() * 2.;
    (0..count).map(number).collect()
}

/// The definition, in 64 bits.
fn plain(attention: &Attention, batch: &Batch<'_>, text: usize, row: usize) -> Vec<f64> {
    let (heads, columns) = (attention.heads, attention.columns);
    let turned = |rows: Rows<'_>, at: usize, head: usize| -> Vec<f64> {
        let mut row = rows
            .row(text * batch.length + at, head * columns, columns)
            .to_vec();
        if let Some(rotation) = &batch.rotation {
            rotation.turn(&mut row, at);
        }
        row.into_iter().map(f64::from).collect()
    };
    let mut context = Vec::new();
    for head in 0..heads {
        let query = turned(batch.queries, row, head);
        let seen = |at: &usize| {
            batch
                .mask
                .is_none_or(|mask| mask[text * batch.length + at] != 0)
                && attention
                    .window
                    .is_none_or(|window| row.abs_diff(*at) <= window)
        };
        let mut columns_seen: Vec<usize> = (0..batch.length).filter(seen).collect();
        let nothing = columns_seen.is_empty();
        if nothing && attention.fill.is_finite() {
            columns_seen = (0..batch.length).collect();
        }
        let weights: Vec<f64> = columns_seen
            .iter()
            .map(|&at| match nothing {
                true => 1.,
                false => {
                    let key = turned(batch.keys, at, head);
                    let score: f64 = query.iter().zip(&key).map(|(q, k)| q * k).sum();
                    (score * f64::from(attention.scale)).exp()
                }
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        for column in 0..columns {
            let value = |at: usize| {
                let row = text * batch.length + at;
                f64::from(batch.values.row(row, head * columns, columns)[column])
            };
            let total: f64 = columns_seen
                .iter()
                .zip(&weights)
                .map(|(&at, w)| w * value(at))
                .sum();
            context.push(if sum == 0. { 0. } else { total / sum });
        }
    }
    context
}

#[test]
fn is_the_definition() {
    for kind in Kind::all() {
        for columns in [8, 20, 32, 64] {
            check(kind, columns, Products::Floats);
        }
    }
}

#[test]
fn is_close_to_the_definition_in_8_bits() {
    for kind in Kind::all() {
        for columns in [8, 20, 32, 64] {
            check(kind, columns, Products::Integers);
        }
    }
}

fn check(kind: Kind, columns: usize, products: Products) {
    let (heads, texts) = (3, 2);
    let width = heads * columns;
    for length in [1, 5, 47, 120, 200] {
        let size = texts * length * width;
        // Queries, keys and values side by side.
        let rows = numbers(3 * size, 1);
        let rows = [0, 1, 2].map(|at| Rows {
            data: &rows,
            stride: 3 * width,
            offset: at * width,
        });
        let angles: Vec<f32> = (0..length * columns)
            .map(|at| (at / columns * (at % columns % (columns / 2) + 1)) as f32 * 0.1)
            .collect();
        let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
        let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
        // The second text ends early, with a hole before.
        let seen =
            |at: usize| i64::from(at < length || (at % length) * 3 < length && at % length != 1);
        let mask: Vec<i64> = (0..texts * length).map(seen).collect();
        for window in [None, Some(0), Some(3), Some(200)] {
            for fill in [f32::NEG_INFINITY, f32::MIN] {
                for rotated in [false, true] {
                    let attention = Attention {
                        heads,
                        columns,
                        scale: 0.35,
                        window,
                        fill,
                    };
                    let batch = Batch {
                        length,
                        queries: rows[0],
                        keys: rows[1],
                        values: rows[2],
                        mask: Some(&mask),
                        rotation: rotated.then_some(Rotation {
                            cos: &cos,
                            sin: &sin,
                            interleaved: false,
                        }),
                        products,
                    };
                    let mut found = vec![f32::NAN; size];
                    attention.run_on(kind, &batch, &mut found, &crate::Serial);
                    let (mut errors, mut squares) = (0., 0.);
                    for (at, found) in found.chunks_exact(heads * columns).enumerate() {
                        let expected = plain(&attention, &batch, at / length, at % length);
                        for (found, expected) in found.iter().zip(expected) {
                            let error = (f64::from(*found) - expected).abs();
                            errors += error * error;
                            squares += expected * expected;
                            let bound = match products {
                                Products::Floats => 1e-5,
                                Products::Integers => 0.2,
                            };
                            assert!(
                                error < bound,
                                "{kind:?} {columns} {length} {window:?} {fill}: {found} {expected}"
                            );
                        }
                    }
                    let error: f64 = errors / squares;
                    assert!(
                        error < 4e-4,
                        "{kind:?} {columns} {length} {window:?}: {error}"
                    );
                }
            }
        }
    }
}
