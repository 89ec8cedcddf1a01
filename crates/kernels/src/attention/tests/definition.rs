//! Attention as it is defined, in 64 bits.

use super::super::*;

/// Attention and its inputs.
pub(super) struct Definition<'a> {
    pub(super) attention: &'a Attention,
    pub(super) batch: &'a Batch<'a>,
}

impl Definition<'_> {
    /// The context, `[texts, length, heads * columns]`.
    pub(super) fn context(&self, texts: usize) -> Vec<f64> {
        let Attention { heads, columns, .. } = *self.attention;
        let length = self.batch.length;
        let mut context = vec![0.; texts * length * heads * columns];
        for text in 0..texts {
            for head in 0..heads {
                for (row, out) in self.head(text, head).chunks(columns).enumerate() {
                    let start = ((text * length + row) * heads + head) * columns;
                    context[start..start + columns].copy_from_slice(out);
                }
            }
        }
        context
    }

    fn head(&self, text: usize, head: usize) -> Vec<f64> {
        let Self { attention, batch } = self;
        let (length, columns) = (batch.length, attention.columns);
        let key_head = head * attention.key_heads / attention.heads;
        let norms = batch.norms;
        let queries = self.prepared(&batch.queries, text, head, norms.queries);
        let keys = self.prepared(&batch.keys, text, key_head, norms.keys);
        let mut context = vec![0.; length * columns];
        for (row, out) in context.chunks_mut(columns).enumerate() {
            let mut visible: Vec<usize> =
                (0..length).filter(|&at| self.sees(text, row, at)).collect();
            let mut scores: Vec<f64> = visible
                .iter()
                .map(|&at| {
                    let pairs = queries[row].iter().zip(&keys[at]);
                    let score: f64 = pairs.map(|(q, k)| q * k).sum();
                    let score = score * f64::from(attention.scale);
                    let score = match attention.softcap.map(f64::from) {
                        Some(cap) => cap * (score / cap).tanh(),
                        None => score,
                    };
                    score + self.bias(head, row, at)
                })
                .collect();
            if visible.is_empty() && attention.fill.is_finite() {
                visible = (0..length).collect();
                scores = vec![0.; length];
            }
            let maximum = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - maximum).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for (&at, weight) in visible.iter().zip(&weights) {
                let values = self.row(&batch.values, text, key_head, at);
                for (out, value) in out.iter_mut().zip(values) {
                    *out += weight / sum * value;
                }
            }
        }
        context
    }

    fn row(&self, rows: &Rows<'_>, text: usize, head: usize, at: usize) -> Vec<f64> {
        let columns = self.attention.columns;
        let row = (text * self.batch.length + at) * rows.stride + rows.offset;
        let row = &rows.data[row + head * columns..][..columns];
        row.iter().copied().map(f64::from).collect()
    }

    /// All rows of a head, normalized and rotated.
    fn prepared(
        &self,
        rows: &Rows<'_>,
        text: usize,
        head: usize,
        norm: Option<HeadNorm<'_>>,
    ) -> Vec<Vec<f64>> {
        let columns = self.attention.columns;
        let prepare = |at: usize| {
            let mut row = self.row(rows, text, head, at);
            if let Some(norm) = norm {
                let mean = row.iter().map(|x| x * x).sum::<f64>() / columns as f64;
                let root = (mean + f64::from(norm.epsilon)).sqrt();
                for (x, scale) in row.iter_mut().zip(norm.scale) {
                    *x = *x / root * f64::from(*scale);
                }
            }
            let Some(rotation) = &self.batch.rotation else {
                return row;
            };
            let rotated = rotation.columns;
            let half = rotated / 2;
            let turned = |column: usize| match rotation.interleaved {
                true if column.is_multiple_of(2) => -row[column + 1],
                true => row[column - 1],
                false if column < half => -row[column + half],
                false => row[column - half],
            };
            let mut whole = row.clone();
            for (column, x) in whole.iter_mut().enumerate().take(rotated) {
                let angle = at * rotated + column;
                let (cos, sin) = (rotation.cos[angle], rotation.sin[angle]);
                *x = row[column] * f64::from(cos) + turned(column) * f64::from(sin);
            }
            whole
        };
        (0..self.batch.length).map(prepare).collect()
    }

    fn sees(&self, text: usize, row: usize, at: usize) -> bool {
        let Sight { before, after } = self.attention.sight;
        let mask = self.batch.mask;
        mask.is_none_or(|mask| mask[text * self.batch.length + at] != 0)
            && before.is_none_or(|before| at + before >= row)
            && after.is_none_or(|after| at <= row + after)
    }

    fn bias(&self, head: usize, row: usize, at: usize) -> f64 {
        let Some(bias) = &self.batch.bias else {
            return 0.;
        };
        let length = self.batch.length;
        let head = head % bias.heads;
        f64::from(match bias.form {
            BiasForm::Full => bias.values[head * length * length + row * length + at],
            BiasForm::Relative => {
                let distance = at as isize - row as isize + length as isize - 1;
                bias.values[head * (2 * length - 1) + distance as usize]
            }
        })
    }
}
