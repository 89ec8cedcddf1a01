//! Scores that depend on the distance of tokens: MPNet, T5.

use super::config::Config;
use super::draft::Draft;
use super::layers::Context;
use crate::blocks::{Mask, Pairs, Positions};
use crate::error::Result;
use crate::onnx::NodeProto;

/// How distances are counted.
pub(super) struct Distances {
    /// Rows of a table.
    count: i64,
    /// From this distance on, all are the same.
    farthest: i64,
}

impl Distances {
    const FARTHEST: usize = 128;
    /// Tables for all distances up to it are in the graph.
    const MOST: usize = 1 << 16;

    /// As a configuration says; `farthest` is a key of its own, where a family has
    /// one.
    pub(super) fn stated(config: &Config<'_>, farthest: Option<&str>) -> Result<Self> {
        let key = "relative_attention_num_buckets";
        let count = config.size(key, 32)?;
        if count < 4 {
            return Err(config.refuse(key, "at least 4", count));
        }
        let distance = match farthest {
            Some(key) => config.size(key, Self::FARTHEST)?,
            None => Self::FARTHEST,
        };
        if !(count / 4 + 1..=Self::MOST).contains(&distance) {
            let key = farthest.unwrap_or(key);
            let expected = format!("a distance from {} to {}", count / 4 + 1, Self::MOST);
            return Err(config.refuse(key, expected, distance));
        }
        Ok(Self {
            count: count as i64,
            farthest: distance as i64,
        })
    }

    /// What the attentions have in common that add a table of distances, by one of
    /// its names.
    pub(super) fn context(
        &self,
        draft: &mut Draft<'_>,
        names: &[&str],
        heads: usize,
    ) -> Result<Context> {
        let table = draft.weight(names, &[self.count as usize, heads])?;
        let builder = &mut draft.builder;
        let Pairs { seen, seeing } = Positions::of_inputs(builder).pairs(builder);
        let difference = builder.add("Sub", &[&seen, &seeing]);
        let [least, most] = [-self.farthest, self.farthest].map(|bound| builder.int(bound));
        let difference = builder.add("Max", &[&difference, &least]);
        let difference = builder.add("Min", &[&difference, &most]);
        let at = builder.add("Sub", &[&difference, &least]);
        let buckets = builder.ints(&self.buckets());
        let ids = builder.add("Gather", &[&buckets, &at]);
        let rows = builder.add("Gather", &[&table, &ids]);
        let heads_first = |node: NodeProto| node.with_ints("perm", &[2, 0, 1]);
        let bias = builder.add_with("Transpose", &[&rows], heads_first);
        let mask = Mask::padding(builder);
        Ok(Context {
            mask: mask.with_bias(builder, &bias),
            rotary: None,
        })
    }

    /// The row of the table for each difference of positions from the farthest
    /// before to the farthest after. Half of the rows are for tokens that come
    /// later; of these, half are for single distances, the others for ranges that
    /// grow by a factor.
    ///
    /// Source: Raffel et al., 2020, section 2.1.
    fn buckets(&self) -> Vec<i64> {
        let half = self.count / 2;
        let exact = half / 2;
        let bucket = |distance: i64| {
            if distance < exact {
                return distance;
            }
            // Rounded as single precision does.
            let growth = (distance as f32 / exact as f32).ln();
            let largest = (self.farthest as f64 / exact as f64).ln() as f32;
            let step = (growth / largest * (half - exact) as f32) as i64;
            (exact + step).min(half - 1)
        };
        (-self.farthest..=self.farthest)
            .map(|difference| {
                let later = if difference > 0 { half } else { 0 };
                later + bucket(difference.abs())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_growing_steps() {
        let distances = Distances {
            count: 32,
            farthest: 128,
        };
        let found = distances.buckets();
        let at = |difference: i64| found[(difference + distances.farthest) as usize];
        assert_eq!(found.len(), 257);
        for (difference, expected) in [
            (0, 0),
            (-1, 1),
            (1, 17),
            (-7, 7),
            (-8, 8),
            (-11, 8),
            (-12, 9),
            (-16, 10),
            (-32, 12),
            (-64, 14),
            (-128, 15),
            (64, 30),
            (128, 31),
        ] {
            assert_eq!(at(difference), expected, "{difference}");
        }
    }
}
