//! Hierarchical token pooling: fewer rows a document, at little loss.
//!
//! Equal to PyLate's `pool_embeddings_hierarchical`: cosine distance, Ward
//! linkage, flat clusters by SciPy's `maxclust` criterion, each replaced by
//! its mean. Source: Clavié, Chaffin and Adams 2024, arXiv:2409.14683.

use kodama::{Dendrogram, Method, linkage};
use ndarray::{Array2, ArrayView2, Axis, Slice};

use crate::sort::ordered;

/// How far a document is pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Rows are reduced to one in `factor`, rounded down, at least one. 1
    /// leaves them as they are, and so does 0.
    pub factor: usize,
    /// Rows at the start that are left alone, such as that of `[CLS]`.
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
}

/// Groups the rows of `[tokens, dim]` into clusters, protected rows first and
/// alone, then in the order of SciPy's labels; members ascending. `None` where
/// pooling would change nothing.
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

/// Upper triangle of `1 - rows · rowsᵀ`, row by row. Products are taken in
/// f32 and clustered in f64, as PyLate and SciPy do.
fn cosine_distances(rows: ArrayView2<'_, f32>) -> Vec<f64> {
    let products = rows.dot(&rows.t());
    let count = rows.nrows();
    let mut distances = Vec::with_capacity(count * (count - 1) / 2);
    for row in 0..count {
        for column in row + 1..count {
            let distance = f64::from(1.0 - products[[row, column]]);
            // The linkage needs finite values; rows of an engine that
            // overflowed are as far apart as can be.
            distances.push(if distance.is_finite() { distance } else { 2.0 });
        }
    }
    distances
}

/// Cuts the tree at the lowest height that leaves at most `wanted` clusters,
/// and lists their members in the order of SciPy's `fcluster` labels.
fn cut(dendrogram: &Dendrogram<f64>, wanted: usize) -> Vec<Vec<usize>> {
    let steps = dendrogram.steps();
    let leaves = dendrogram.observations();
    // Rounding can put a step below one of its parts: heights have to rise.
    let mut heights: Vec<f64> = Vec::with_capacity(steps.len());
    for step in steps {
        let below = [step.cluster1, step.cluster2]
            .into_iter()
            .filter_map(|node| node.checked_sub(leaves))
            .map(|part| heights[part]);
        heights.push(below.fold(step.dissimilarity, f64::max));
    }
    let order = ordered(heights.len(), &|one, other| {
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
        // SciPy descends into both parts before it numbers single leaves.
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
    fn merges_what_is_alike_and_keeps_the_protected_row() {
        let rows = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        let found = clusters(rows.view(), Pooling::by(2));
        assert_eq!(found, Some(vec![vec![0], vec![1, 3], vec![2, 4]]));
    }

    #[test]
    fn leaves_short_documents_alone() {
        let rows = array![[1.0, 0.0], [0.0, 1.0]];
        assert_eq!(clusters(rows.view(), Pooling::by(3)), None);
        assert_eq!(clusters(rows.view(), Pooling::by(0)), None);
        let empty = Array2::zeros((0, 2));
        assert_eq!(clusters(empty.view(), Pooling::by(2)), None);
    }

    #[test]
    fn equal_rows_become_one_cluster() {
        let rows = Array2::from_elem((9, 4), 0.5);
        let pooling = Pooling {
            factor: 2,
            protected_tokens: 0,
        };
        let found = clusters(rows.view(), pooling);
        assert_eq!(found, Some(vec![(0..9).collect()]));
        let merged = means(rows.view(), &found.unwrap_or_default());
        assert_eq!(merged, array![[0.5, 0.5, 0.5, 0.5]]);
    }
}
