use super::*;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let number = |at: usize| ((at as f32 + 1.) * (seed as f32 + 0.7)).sin() * 2.;
    (0..count).map(number).collect()
}

/// The definition, in 64 bits.
fn definition(attention: &Attention, batch: &Batch<'_>, text: usize, row: usize) -> Vec<f64> {
    let (heads, columns) = (attention.heads, attention.columns);
    let rotated = |rows: Rows<'_>, at: usize, head: usize| -> Vec<f64> {
        let mut row = rows
            .row(text * batch.length + at, head * columns, columns)
            .to_vec();
        if let Some(rotation) = &batch.rotation {
            rotation.rotate(&mut row, at);
        }
        row.into_iter().map(f64::from).collect()
    };
    let mut context = Vec::new();
    for head in 0..heads {
        let query = rotated(batch.queries, row, head);
        let is_visible = |at: &usize| {
            batch
                .mask
                .is_none_or(|mask| mask[text * batch.length + at] != 0)
                && attention
                    .sight
                    .before
                    .is_none_or(|before| row.saturating_sub(*at) <= before)
                && attention
                    .sight
                    .after
                    .is_none_or(|after| at.saturating_sub(row) <= after)
        };
        let mut visible: Vec<usize> = (0..batch.length).filter(is_visible).collect();
        let sees_nothing = visible.is_empty();
        if sees_nothing && attention.fill.is_finite() {
            visible = (0..batch.length).collect();
        }
        let weights: Vec<f64> = visible
            .iter()
            .map(|&at| {
                if sees_nothing {
                    1.
                } else {
                    let key = rotated(batch.keys, at, head);
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
            let total: f64 = visible
                .iter()
                .zip(&weights)
                .map(|(&at, w)| w * value(at))
                .sum();
            context.push(if sum == 0. { 0. } else { total / sum });
        }
    }
    context
}

/// Miri takes minutes for more.
const COLUMNS: &[usize] = if cfg!(miri) { &[8] } else { &[8, 20, 32, 64] };

#[test]
fn matches_the_definition() {
    for set in InstructionSet::all() {
        for &columns in COLUMNS {
            check(set, columns, Precision::Fp32);
        }
    }
}

#[test]
fn is_close_to_the_definition_in_8_bits() {
    for set in InstructionSet::all() {
        for &columns in COLUMNS {
            check(set, columns, Precision::Int8);
        }
    }
}

fn check(set: InstructionSet, columns: usize, precision: Precision) {
    let (heads, texts) = (3, 2);
    let width = heads * columns;
    let lengths: &[usize] = if cfg!(miri) {
        &[5]
    } else {
        &[1, 5, 47, 120, 200]
    };
    for &length in lengths {
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
        // The second text has padding, and a masked token before it.
        let bit =
            |at: usize| i64::from(at < length || (at % length) * 3 < length && at % length != 1);
        let mask: Vec<i64> = (0..texts * length).map(bit).collect();
        for window in [None, Some(0), Some(3), Some(200)] {
            for fill in [f32::NEG_INFINITY, f32::MIN] {
                for is_rotated in [false, true] {
                    let attention = Attention {
                        heads,
                        key_heads: heads,
                        columns,
                        scale: 0.35,
                        sight: Sight {
                            before: window,
                            after: window,
                        },
                        softcap: None,
                        fill,
                    };
                    let batch = Batch {
                        length,
                        queries: rows[0],
                        keys: rows[1],
                        values: rows[2],
                        mask: Some(&mask),
                        norms: HeadNorms::default(),
                        bias: None,
                        rotation: is_rotated.then_some(Rotation {
                            cos: &cos,
                            sin: &sin,
                            interleaved: false,
                        }),
                        precision,
                    };
                    let mut found = vec![f32::NAN; size];
                    attention.run_on(set, &batch, &mut found, &crate::Serial);
                    let (mut errors, mut squares) = (0., 0.);
                    for (at, found) in found.chunks_exact(heads * columns).enumerate() {
                        let expected = definition(&attention, &batch, at / length, at % length);
                        for (found, expected) in found.iter().zip(expected) {
                            let error = (f64::from(*found) - expected).abs();
                            errors += error * error;
                            squares += expected * expected;
                            let bound = match precision {
                                Precision::Fp32 => 1e-5,
                                Precision::Int8 => 0.2,
                            };
                            assert!(
                                error < bound,
                                "{set:?} {columns} {length} {window:?} {fill}: {found} {expected}"
                            );
                        }
                    }
                    let error: f64 = errors / squares;
                    assert!(
                        error < 4e-4,
                        "{set:?} {columns} {length} {window:?}: {error}"
                    );
                }
            }
        }
    }
}
