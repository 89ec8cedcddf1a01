//! Hierarchical token pooling: fewer rows per document at little loss.
//!
//! Equal to PyLate's `pool_embeddings_hierarchical`: cosine distance, Ward
//! linkage, flat clusters by SciPy's `maxclust` criterion, each replaced by
//! its mean. Source: Clavié, Chaffin and Adams 2024, arXiv:2409.14683.

use kodama::{Dendrogram, Method, linkage};
use ndarray::{Array2, ArrayView2, Axis, Slice};

use crate::error::{Error, Result};
use crate::products::products;
use crate::sort::sort_positions;

/// How far documents are pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Pooling {
    /// `n` rows become `n / factor`, rounded down, but at least 1. A factor of
    /// 1 leaves them unchanged, 0 is an error.
    pub factor: usize,
    /// Rows at the start that are never merged, such as that of `[CLS]`.
    pub protected_tokens: usize,
}

impl Pooling {
    /// Pools by `factor` and protects the first row, as PyLate does.
    pub fn by(factor: usize) -> Self {
        Self {
            factor,
            protected_tokens: 1,
        }
    }

    /// Never merges this many rows at the start.
    #[must_use]
    pub fn with_protected_tokens(mut self, tokens: usize) -> Self {
        self.protected_tokens = tokens;
        self
    }

    pub(crate) fn check(self) -> Result<()> {
        if self.factor == 0 {
            return Err(Error::option("pooling", "a factor of 1 or more", 0));
        }
        Ok(())
    }
}

/// Groups the rows of `[tokens, dim]` into clusters: each protected row first,
/// then clusters in the order of SciPy's labels, with ascending members.
/// `None` where pooling would change nothing.
pub(crate) fn clusters(rows: ArrayView2<'_, f32>, pooling: Pooling) -> Option<Vec<Vec<usize>>> {
    let protected = pooling.protected_tokens.min(rows.nrows());
    let free = rows.nrows() - protected;
    let wanted = (free / pooling.factor.max(1)).max(1);
    if wanted >= free {
        return None;
    }
    let free_rows = rows.slice_axis(Axis(0), Slice::from(protected..));
    let dendrogram = linkage(&mut cosine_distances(free_rows), free, Method::Ward);
    let mut clusters: Vec<Vec<usize>> = (0..protected).map(|row| vec![row]).collect();
    for mut cluster in cut(&dendrogram, wanted) {
        cluster.sort_unstable();
        cluster.iter_mut().for_each(|row| *row += protected);
        clusters.push(cluster);
    }
    Some(clusters)
}

/// The mean row of each cluster, `[clusters, dim]`.
pub(crate) fn means(rows: ArrayView2<'_, f32>, clusters: &[Vec<usize>]) -> Array2<f32> {
    let mut means = Array2::zeros((clusters.len(), rows.ncols()));
    for (mut mean, cluster) in means.axis_iter_mut(Axis(0)).zip(clusters) {
        for &row in cluster {
            mean += &rows.row(row);
        }
        mean /= cluster.len() as f32;
    }
    means
}

/// The upper triangle of `1 - rows · rowsᵀ`, row by row: products in `f32`,
/// clustering in `f64`, as in PyLate and SciPy.
fn cosine_distances(rows: ArrayView2<'_, f32>) -> Vec<f64> {
    let count = rows.nrows();
    let rows = rows.as_standard_layout();
    let flat = rows.as_slice().unwrap_or_default();
    let products = products(flat, flat, rows.ncols());
    let mut distances = Vec::with_capacity(count * (count - 1) / 2);
    for row in 0..count {
        for column in row + 1..count {
            let distance = f64::from(1.0 - products[[row, column]]);
            // The linkage needs finite values: rows with an overflow get the
            // largest distance.
            distances.push(if distance.is_finite() { distance } else { 2.0 });
        }
    }
    distances
}

/// Cuts the tree at the lowest height with at most `wanted` clusters, and lists
/// these in the order of SciPy's `fcluster` labels.
fn cut(dendrogram: &Dendrogram<f64>, wanted: usize) -> Vec<Vec<usize>> {
    let steps = dendrogram.steps();
    let leaves = dendrogram.observations();
    // Rounding can put a step below one of its parts: make heights ascend.
    let mut heights: Vec<f64> = Vec::with_capacity(steps.len());
    for step in steps {
        let below = [step.cluster1, step.cluster2]
            .into_iter()
            .filter_map(|node| node.checked_sub(leaves))
            .map(|part| heights[part]);
        heights.push(below.fold(step.dissimilarity, f64::max));
    }
    let order = sort_positions(heights.len(), &|one, other| {
        heights[one].total_cmp(&heights[other])
    });
    let threshold = heights[order[leaves - 1 - wanted]];

    let mut clusters = Vec::with_capacity(wanted);
    let mut open = vec![(leaves + steps.len() - 1, false)];
    while let Some((node, inside)) = open.pop() {
        let Some(step) = node.checked_sub(leaves) else {
            match clusters.last_mut() {
                Some(cluster) if inside => Vec::push(cluster, node),
                _ => clusters.push(vec![node]),
            }
            continue;
        };
        let merged = inside || heights[step] <= threshold;
        if merged && !inside {
            clusters.push(Vec::new());
        }
        // SciPy visits merged parts before single leaves.
        let (left, right) = (steps[step].cluster1, steps[step].cluster2);
        let (parts, leaves): (Vec<_>, Vec<_>) =
            [right, left].into_iter().partition(|&node| node >= leaves);
        open.extend(leaves.into_iter().chain(parts).map(|node| (node, merged)));
    }
    clusters
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn similar_rows_are_merged_and_the_protected_one_is_not() {
        let rows = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        let found = clusters(rows.view(), Pooling::by(2));
        assert_eq!(found, Some(vec![vec![0], vec![1, 3], vec![2, 4]]));
    }

    #[test]
    fn short_documents_are_not_pooled() {
        let rows = array![[1.0, 0.0], [0.0, 1.0]];
        assert_eq!(clusters(rows.view(), Pooling::by(3)), None);
        let empty = Array2::zeros((0, 2));
        assert_eq!(clusters(empty.view(), Pooling::by(2)), None);
    }

    #[test]
    fn equal_rows_become_one_cluster() {
        let rows = Array2::from_elem((9, 4), 0.5);
        let pooling = Pooling::by(2).with_protected_tokens(0);
        let found = clusters(rows.view(), pooling);
        assert_eq!(found, Some(vec![(0..9).collect()]));
        let merged = means(rows.view(), &found.unwrap_or_default());
        assert_eq!(merged, array![[0.5, 0.5, 0.5, 0.5]]);
    }
}
