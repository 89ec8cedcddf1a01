use super::*;

mod definition;

use definition::Definition;

/// Numbers in `-1.5..=1.5` that repeat nowhere.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = u64::from(seed) + 1;
    let number = |_| {
        state = state
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 40) as f32 / (1 << 24) as f32 * 3. - 1.5
    };
    (0..count).map(number).collect()
}

/// The sizes of a case.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    heads: usize,
    key_heads: usize,
    columns: usize,
    length: usize,
}

const fn sizes(heads: usize, key_heads: usize, columns: usize, length: usize) -> Sizes {
    Sizes {
        heads,
        key_heads,
        columns,
        length,
    }
}

/// Every number of heads, of columns and of tokens that takes another path.
const SIZES: &[Sizes] = if cfg!(miri) {
    // Miri takes minutes for more.
    &[sizes(2, 1, 4, 5)]
} else {
    &[
        sizes(1, 1, 5, 7),
        sizes(3, 3, 24, 24),
        sizes(6, 2, 64, 61),
        sizes(4, 1, 80, 61),
        sizes(3, 1, 32, 170),
        sizes(2, 2, 64, 330),
        sizes(6, 3, 20, 170),
        sizes(5, 1, 64, 1),
        sizes(2, 1, 5, 330),
    ]
};

#[derive(Clone, Copy, Debug, Default)]
struct Features {
    sight: Sight,
    softcap: Option<f32>,
    /// Of queries and of keys.
    norms: [bool; 2],
    rotation: Option<Pairs>,
    rotated: Rotated,
    bias: Option<(BiasForm, BiasHeads)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Pairs {
    Halves,
    Neighbours,
}

/// Which columns are rotated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Rotated {
    #[default]
    All,
    Some,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BiasHeads {
    One,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mask {
    None,
    /// Padding at the end of the second text, and a hole before.
    Right,
    /// Padding at the start of the second text.
    Left,
    /// The first text is all padding, the second has one token.
    Nothing,
}

fn sight(before: Option<usize>, after: Option<usize>) -> Features {
    Features {
        sight: Sight { before, after },
        ..Features::default()
    }
}

/// Each feature alone, and all together.
fn features() -> Vec<Features> {
    let mut all = vec![Features::default()];
    for (before, after) in [
        (None, Some(0)),
        (Some(0), None),
        (Some(3), Some(3)),
        (Some(5), Some(0)),
        (Some(0), Some(0)),
        (Some(200), Some(9)),
        (None, Some(400)),
    ] {
        all.push(sight(before, after));
    }
    let plain = Features::default();
    for norms in [[true, false], [false, true], [true; 2]] {
        all.push(Features { norms, ..plain });
    }
    for pairs in [Pairs::Halves, Pairs::Neighbours] {
        let rotation = Some(pairs);
        for rotated in [Rotated::All, Rotated::Some] {
            all.push(Features {
                rotation,
                rotated,
                ..plain
            });
        }
    }
    let softcap = Some(0.8);
    all.push(Features { softcap, ..plain });
    for form in [BiasForm::Full, BiasForm::Relative] {
        for heads in [BiasHeads::One, BiasHeads::All] {
            let bias = Some((form, heads));
            all.push(Features { bias, ..plain });
            let together = Features {
                norms: [true; 2],
                rotation: Some(Pairs::Halves),
                bias,
                ..sight(Some(40), Some(0))
            };
            all.push(together);
            all.push(Features {
                softcap,
                ..together
            });
        }
    }
    all
}

impl Mask {
    fn bits(self, texts: usize, length: usize) -> Option<Vec<i64>> {
        let bit = |at: usize| {
            let (text, at) = (at / length, at % length);
            i64::from(match self {
                Self::None => true,
                Self::Right => text == 0 || at * 3 < length && at != 1,
                Self::Left => text == 0 || at * 3 > length,
                Self::Nothing => text == 1 && at == length / 2,
            })
        };
        (self != Self::None).then(|| (0..texts * length).map(bit).collect())
    }
}

const TEXTS: usize = 2;

/// What is compared: on how many threads, and how far off.
struct Check<'a> {
    attention: &'a Attention,
    batch: &'a Batch<'a>,
    expected: &'a [f64],
    name: &'a str,
}

impl Check<'_> {
    fn run(&self, set: InstructionSet, precision: Precision, threads: &dyn Parallel) {
        let batch = Batch {
            precision,
            ..*self.batch
        };
        let mut found = vec![f32::NAN; self.expected.len()];
        self.attention.run_on(set, &batch, &mut found, threads);
        let bound = match precision {
            Precision::Fp32 => 1e-5,
            Precision::Int8 => 0.1,
        };
        let (mut errors, mut squares) = (0., 0.);
        for (at, (found, expected)) in found.iter().zip(self.expected).enumerate() {
            let error = (f64::from(*found) - expected).abs();
            errors += error * error;
            squares += expected * expected;
            let name = self.name;
            assert!(
                error < bound,
                "{set:?} {precision:?} {name}: {found} instead of {expected} at {at}"
            );
        }
        let error = errors / f64::max(squares, 1e-3);
        assert!(error < 4e-4, "{set:?} {precision:?} {}: {error}", self.name);
    }
}

/// Says that it has several threads, so that work is divided.
struct Several;

impl Parallel for Several {
    fn threads(&self) -> usize {
        2
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..count).rev().for_each(task);
    }
}

fn check(sizes: Sizes, features: Features, masks: &[Mask]) {
    let Sizes {
        heads,
        key_heads,
        columns,
        length,
    } = sizes;
    let widths = [heads, key_heads, key_heads].map(|heads| heads * columns);
    let stride: usize = widths.iter().sum();
    let data = numbers(TEXTS * length * stride, 1);
    // Queries, keys and values side by side.
    let rows = |at: usize| Rows {
        data: &data,
        stride,
        offset: widths[..at].iter().sum(),
    };
    let scales = [2, 3].map(|seed| numbers(columns, seed));
    let norm = |at: usize| {
        features.norms[at].then_some(HeadNorm {
            scale: &scales[at],
            epsilon: 1e-2,
        })
    };
    let rotated = match features.rotated {
        Rotated::All => columns,
        Rotated::Some => (columns / 4).max(1) * 2,
    };
    let angles: Vec<f32> = (0..length * rotated)
        .map(|at| {
            let column = match features.rotation {
                Some(Pairs::Neighbours) => at % rotated / 2,
                _ => at % rotated % (rotated / 2),
            };
            (at / rotated) as f32 / (column + 1) as f32
        })
        .collect();
    let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
    let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
    let mut bias = features.bias.map(|(form, of)| Bias {
        values: &[],
        heads: if of == BiasHeads::One { 1 } else { heads },
        form,
    });
    let values = numbers(bias.map_or(0, |bias| bias.size(length)), 4);
    if let Some(bias) = &mut bias {
        bias.values = &values;
    }
    for &mask in masks {
        let bits = mask.bits(TEXTS, length);
        // Without a mask, all tokens see themselves.
        let fills = [f32::NEG_INFINITY, f32::MIN];
        let fills = if mask == Mask::None {
            &fills[..1]
        } else {
            &fills
        };
        for &fill in fills {
            let attention = Attention {
                heads,
                key_heads,
                columns,
                scale: 1. / (columns as f32).sqrt(),
                sight: features.sight,
                softcap: features.softcap,
                fill,
            };
            let batch = Batch {
                length,
                queries: rows(0),
                keys: rows(1),
                values: rows(2),
                mask: bits.as_deref(),
                norms: HeadNorms {
                    queries: norm(0),
                    keys: norm(1),
                },
                rotation: features.rotation.map(|pairs| Rotation {
                    cos: &cos,
                    sin: &sin,
                    columns: rotated,
                    interleaved: pairs == Pairs::Neighbours,
                }),
                bias,
                precision: Precision::Fp32,
            };
            let definition = Definition {
                attention: &attention,
                batch: &batch,
            };
            let check = Check {
                attention: &attention,
                batch: &batch,
                expected: &definition.context(TEXTS),
                name: &format!("{sizes:?} {features:?} {mask:?} {fill}"),
            };
            for set in InstructionSet::all() {
                for precision in [Precision::Fp32, Precision::Int8] {
                    check.run(set, precision, &crate::Serial);
                }
            }
            let set = InstructionSet::best();
            check.run(set, Precision::Fp32, &Several);
        }
    }
}

#[test]
fn matches_the_definition() {
    for (at, &sizes) in SIZES.iter().enumerate() {
        for (which, features) in features().into_iter().enumerate() {
            if features.rotation.is_some() && sizes.columns % 2 == 1 {
                continue;
            }
            // Long texts with some masks only, in turn.
            let masks = [Mask::None, Mask::Right, Mask::Left, Mask::Nothing];
            let masks = match sizes.length {
                0..100 if !cfg!(miri) => &masks[..],
                _ => &masks[(at + which) % 4..][..1],
            };
            check(sizes, features, masks);
        }
    }
}

/// Heads with numbers that are not finite, and those that share their keys.
#[test]
fn what_is_not_finite_stays_in_its_heads() {
    let (heads, key_heads, columns, length) = (4, 2, 8, 5);
    let numbers = |heads: usize, seed| numbers(length * heads * columns, seed);
    let (queries, keys, values) = (
        numbers(heads, 1),
        numbers(key_heads, 2),
        numbers(key_heads, 3),
    );
    let run = |set, precision, queries: &[f32], values: &[f32]| {
        let rows = |data, heads: usize| Rows {
            data,
            stride: heads * columns,
            offset: 0,
        };
        let attention = Attention {
            heads,
            key_heads,
            columns,
            scale: 0.3,
            sight: Sight::default(),
            softcap: None,
            fill: 0.,
        };
        let batch = Batch {
            length,
            queries: rows(queries, heads),
            keys: rows(&keys, key_heads),
            values: rows(values, key_heads),
            mask: None,
            norms: HeadNorms::default(),
            rotation: None,
            bias: None,
            precision,
        };
        let mut context = vec![0.; length * heads * columns];
        attention.run_on(set, &batch, &mut context, &crate::Serial);
        // By head.
        (0..heads)
            .map(|head| {
                let row = |at: usize| context[(at * heads + head) * columns..][..columns].to_vec();
                (0..length).map(row).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    for set in InstructionSet::all() {
        let floats = run(set, Precision::Fp32, &queries, &values);
        let integers = run(set, Precision::Int8, &queries, &values);
        assert_ne!(floats, integers);

        let mut broken = queries.clone();
        broken[2 * columns] = f32::NAN;
        let found = run(set, Precision::Int8, &broken, &values);
        assert!(found[2][0].iter().all(|value| value.is_nan()));
        assert_eq!(found[2][1..], floats[2][1..], "{set:?}");
        for head in [0, 1, 3] {
            assert_eq!(found[head], integers[head], "{set:?} {head}");
        }

        let mut broken = values.clone();
        broken[columns] = f32::INFINITY;
        let found = run(set, Precision::Int8, &queries, &broken);
        assert_eq!(found[..2], integers[..2], "{set:?}");
        for head in [2, 3] {
            for (found, floats) in found[head].iter().zip(&floats[head]) {
                assert_eq!(found[0], f32::INFINITY);
                assert_eq!(found[1..], floats[1..], "{set:?} {head}");
            }
        }
    }
}
