//! Finds the layers that have to stay in 32-bit floats.

use std::collections::BTreeSet;
use std::ops::Range;

use multivec_core::{Error, Result};

use super::fidelity::Fidelity;
use super::options::{QuantizeOptions, QuantizeStep};

/// The outcome of a search.
#[derive(Debug)]
pub(super) struct Found {
    /// The layers that stay in 32-bit floats.
    pub(super) kept: BTreeSet<usize>,
    pub(super) fidelity: Fidelity,
    pub(super) all_quantized: Fidelity,
    /// For each layer, the fidelity with it and its group in floats and no
    /// other; empty if no layer was judged.
    pub(super) alone: Vec<Fidelity>,
    pub(super) measurements: usize,
}

/// Measures the model with these layers in 32-bit floats.
type Measure<'a> = &'a mut dyn FnMut(&BTreeSet<usize>) -> Result<Fidelity>;

/// Finds few layers that have to stay in floats to meet the target.
///
/// Each layer, or group of neighbours if there are many, is measured in floats
/// alone. Of the best ones, as many are kept as the target needs, which is
/// found by bisection. Then each of them is quantized after all if the target
/// is still met.
pub(super) fn search(
    layers: usize,
    options: &QuantizeOptions,
    measure: Measure<'_>,
    progress: &mut dyn FnMut(QuantizeStep),
) -> Result<Found> {
    let target = options.target;
    let max = options.measurements;
    let mut done = 0;
    let mut measure = |kept: &BTreeSet<usize>| {
        let found = measure(kept)?;
        done += 1;
        progress(QuantizeStep::Measured { done, of: max });
        Ok::<_, Error>((found, done))
    };
    let (all_quantized, measurements) = measure(&BTreeSet::new())?;
    let mut found = Found {
        kept: BTreeSet::new(),
        fidelity: all_quantized,
        all_quantized,
        alone: Vec::new(),
        measurements,
    };
    if target.is_met(all_quantized) {
        return Ok(found);
    }
    let groups = groups(layers, max / 2);
    let mut order = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let (alone, _) = measure(&group.clone().collect())?;
        found.alone.extend(group.clone().map(|_| alone));
        order.push((target.loss(alone), at));
    }
    order.sort_by(|one, two| one.0.total_cmp(&two.0));
    let union = |at: &mut dyn Iterator<Item = usize>| -> BTreeSet<usize> {
        at.flat_map(|at| groups[at].clone()).collect()
    };
    // With `few` groups kept, the target is missed. With `enough` it is met, at
    // the latest with all of them.
    let (mut few, mut enough) = (0, order.len());
    let mut fidelity = None;
    while enough - few > 1 {
        let middle = (few + enough) / 2;
        let kept = union(&mut order[..middle].iter().map(|one| one.1));
        match measure(&kept)?.0 {
            met if target.is_met(met) => (enough, fidelity) = (middle, Some(met)),
            _ => few = middle,
        }
    }
    let Some(mut met) = fidelity else {
        return Err(Error::option(
            "target",
            "a fidelity that is met with some layer quantized",
            format!("mean {} and first percentile {}", target.mean, target.p1),
        ));
    };
    let mut kept: Vec<usize> = order[..enough].iter().map(|one| one.1).collect();
    // The bisection showed that the last one is needed.
    for at in (0..enough - 1).rev() {
        let without = kept.iter().copied().filter(|&one| one != order[at].1);
        let without: Vec<usize> = without.collect();
        let (next, done) = measure(&union(&mut without.iter().copied()))?;
        if target.is_met(next) {
            (kept, met) = (without, next);
        }
        if done >= max {
            break;
        }
    }
    found.kept = union(&mut kept.into_iter());
    found.fidelity = met;
    found.measurements = done;
    Ok(found)
}

/// At most `max` groups of neighbours, of equal size.
fn groups(layers: usize, max: usize) -> Vec<Range<usize>> {
    let size = layers.div_ceil(max.max(1)).max(1);
    let starts = (0..layers).step_by(size);
    starts
        .map(|start| start..(start + size).min(layers))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    /// Searches a model in which quantizing a layer lowers the cosine by its
    /// cost.
    fn search_costs(costs: &[f64], measurements: usize) -> (Result<Found>, usize) {
        let options = QuantizeOptions {
            measurements,
            ..QuantizeOptions::default()
        };
        let mut runs = 0;
        let mut measure = |kept: &BTreeSet<usize>| {
            let costs = costs.iter().enumerate();
            let left = costs.filter(|(at, _)| !kept.contains(at));
            let mean = 1. - left.map(|(_, cost)| cost).sum::<f64>();
            let p1 = 2. * mean - 1.;
            let minimum = p1;
            Ok(Fidelity { mean, p1, minimum })
        };
        let mut progress = |step| {
            if let QuantizeStep::Measured { done, of } = step {
                assert_eq!((done, of), (runs + 1, measurements));
                runs = done;
            }
        };
        let found = search(costs.len(), &options, &mut measure, &mut progress);
        (found, runs)
    }

    #[test]
    fn no_layer_is_kept_if_the_target_is_met() {
        let (found, runs) = search_costs(&[0.0005; 3], 128);
        let found = found.expect("the target is met");
        assert!(found.kept.is_empty() && found.alone.is_empty());
        assert_eq!((found.measurements, runs), (1, 1));
        assert_eq!(found.fidelity, found.all_quantized);
    }

    #[test]
    fn the_layers_that_cost_most_are_kept() {
        let (found, runs) = search_costs(&[0.0002, 0.01, 0.0001, 0.0003, 0.004, 0.0002], 128);
        let found = found.expect("the target is met");
        assert_eq!(found.kept, BTreeSet::from([1, 4]));
        assert!((found.fidelity.mean - 0.9992).abs() < 1e-9);
        assert!((found.alone[1].mean - 0.9952).abs() < 1e-9);
        assert_eq!(found.measurements, runs);
    }

    #[test]
    fn layers_that_are_not_needed_are_quantized_after_all() {
        // Layer 0 gains most alone, and nothing beside 1 and 2.
        let mut measure = |kept: &BTreeSet<usize>| {
            let gain = |at: usize, gain: f64| if kept.contains(&at) { gain } else { 0. };
            let mean = if kept.contains(&1) && kept.contains(&2) {
                0.9995
            } else {
                0.99 + gain(0, 1e-3) + gain(1, 5e-4) + gain(2, 4e-4)
            };
            let (p1, minimum) = (mean, mean);
            Ok(Fidelity { mean, p1, minimum })
        };
        let options = QuantizeOptions::default();
        let found = search(4, &options, &mut measure, &mut |_| {}).expect("the target is met");
        assert_eq!(found.kept, BTreeSet::from([1, 2]));
        // All quantized, 4 alone, 2 of the bisection, 2 that may not be needed.
        assert_eq!(found.measurements, 9);
    }

    #[test]
    fn many_layers_are_judged_in_groups_within_the_limit_of_runs() {
        let mut costs = vec![0.00001; 100];
        costs[37] = 0.02;
        let (found, runs) = search_costs(&costs, 16);
        let found = found.expect("the target is met");
        assert!(
            found.kept.contains(&37) && found.kept.len() == 13,
            "{found:?}"
        );
        assert!(runs <= 16, "{runs}");
        assert_eq!(found.alone.len(), 100);
    }

    #[test]
    fn a_target_that_no_layer_can_meet_is_refused() {
        let (found, _) = search_costs(&[0.01; 4], 128);
        let error = found.expect_err("every layer costs too much");
        assert_eq!(error.code(), "invalid_option");
    }
}
