//! Which heads of rows others are copies of.

use ndarray::{Array4, Axis};

/// The heads of rows that others are copies of.
pub(super) struct Sources {
    pub(super) first: usize,
    pub(super) count: usize,
    /// The distance of one to the next.
    pub(super) step: usize,
    /// The factor by which the copies differ.
    pub(super) scale: f32,
}

/// Where the heads `found` are among `heads`: at equal distances, each repeated
/// as often as the others.
pub(super) fn sources(found: &Array4<f32>, heads: &Array4<f32>) -> Option<Sources> {
    let (wanted, known) = (found.dim().1, heads.dim().1);
    let head = |of: usize| heads.index_axis(Axis(1), of);
    let is_copy = |at: usize, of: usize, scale: f32| {
        let largest = head(of).iter().fold(1., |most: f32, x| most.max(x.abs()));
        let bound = 1e-5 * scale.abs() * largest;
        let copy = found.index_axis(Axis(1), at);
        let mut pairs = copy.into_iter().zip(head(of));
        pairs.all(|(found, expected)| (found - expected * scale).abs() <= bound)
    };
    let ratio = |of: usize| {
        let copy = found.index_axis(Axis(1), 0);
        let pairs = copy.into_iter().zip(head(of));
        let (found, expected) = pairs.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
        Some(found / expected).filter(|ratio| ratio.is_normal())
    };
    let mut firsts = (0..known).filter_map(|of| Some((of, ratio(of)?)));
    let (first, scale) = firsts.find(|&(of, scale)| is_copy(0, of, scale))?;
    let mut counts = (1..=wanted.min(known)).rev();
    counts.find_map(|count| {
        let repeats = wanted / count;
        wanted.is_multiple_of(count).then_some(())?;
        // Rows that hold other heads in between are all of that form.
        let spread = known / count;
        let is_spread = spread > 1 && known == spread * count && first < spread;
        let mut steps = std::iter::once(1).chain(is_spread.then_some(spread));
        let step = steps.find(|step| {
            (0..wanted).all(|at| {
                let of = first + at / repeats * step;
                of < known && is_copy(at, of, scale)
            })
        })?;
        Some(Sources {
            first,
            count,
            step,
            scale,
        })
    })
}
