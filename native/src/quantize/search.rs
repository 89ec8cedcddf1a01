//! Which layers stay in 32-bit floats.

use std::collections::BTreeSet;
use std::ops::Range;

use multivec_core::{Error, Result};

use super::report::Fidelity;
use super::{QuantizeOptions, QuantizeStep};

/// How close an INT8 model has to come to the FP32 model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FidelityTarget {
    /// The least mean cosine of token vectors, below 1.
    pub mean: f64,
    /// The least first percentile, below 1.
    pub p1: f64,
}

impl Default for FidelityTarget {
    fn default() -> Self {
        Self::new(0.998, 0.996)
    }
}

impl FidelityTarget {
    /// A target of this mean and first percentile.
    pub fn new(mean: f64, p1: f64) -> Self {
        Self { mean, p1 }
    }

    pub(super) fn check(self) -> Result<()> {
        for (name, value) in [("min_mean", self.mean), ("min_p1", self.p1)] {
            if !(-1. ..1.).contains(&value) {
                return Err(Error::option(name, "-1 or more, and less than 1", value));
            }
        }
        Ok(())
    }

    /// How much of the loss that is allowed there is; met up to 1.
    fn loss(self, found: Fidelity) -> f64 {
        let mean = (1. - found.mean) / (1. - self.mean);
        let p1 = (1. - found.p1) / (1. - self.p1);
        mean.max(p1)
    }

    fn is_met(self, found: Fidelity) -> bool {
        self.loss(found) <= 1.
    }
}

/// The outcome of a search.
#[derive(Debug)]
pub(super) struct Found {
    /// The layers that stay in 32-bit floats.
    pub(super) kept: BTreeSet<usize>,
    pub(super) fidelity: Fidelity,
    pub(super) all_quantized: Fidelity,
    /// One a layer, with it (and its group) in floats and no other; empty
    /// where that was not asked.
    pub(super) alone: Vec<Fidelity>,
    pub(super) measurements: usize,
}

/// Runs the model with these layers in 32-bit floats.
type Measure<'a> = &'a mut dyn FnMut(&BTreeSet<usize>) -> Result<Fidelity>;

/// Finds few layers that have to stay in floats to meet the target.
///
/// Each layer, or group of neighbours where there are many, is measured alone.
/// Those that give most are kept, as many as it takes, found by bisection;
/// then each of these is done without where the target is met all the same.
pub(super) fn search(
    layers: usize,
    options: &QuantizeOptions,
    measure: Measure<'_>,
    progress: &mut dyn FnMut(QuantizeStep),
) -> Result<Found> {
    let target = options.target;
    let most = options.measurements;
    let mut done = 0;
    let mut measure = |kept: &BTreeSet<usize>| {
        let found = measure(kept)?;
        done += 1;
        progress(QuantizeStep::Measured { done, of: most });
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
    let groups = groups(layers, most / 2);
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
    // With `few` the target is missed; with `enough` it is met, for sure where
    // all are kept.
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
    // The last one is needed, as the bisection showed.
    for at in (0..enough - 1).rev() {
        let without = kept.iter().copied().filter(|&one| one != order[at].1);
        let without: Vec<usize> = without.collect();
        let (next, done) = measure(&union(&mut without.iter().copied()))?;
        if target.is_met(next) {
            (kept, met) = (without, next);
        }
        if done >= most {
            break;
        }
    }
    found.kept = union(&mut kept.into_iter());
    found.fidelity = met;
    found.measurements = done;
    Ok(found)
}

/// So many layers in at most so many groups of neighbours, of equal size.
fn groups(layers: usize, most: usize) -> Vec<Range<usize>> {
    let size = layers.div_ceil(most.max(1)).max(1);
    let starts = (0..layers).step_by(size);
    starts
        .map(|start| start..(start + size).min(layers))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    /// A model whose layers each cost so much of the cosine.
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
    fn nothing_is_kept_where_the_target_is_met() {
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
    fn what_is_not_needed_is_quantized_after_all() {
        // Layer 0 gives most of all alone, and nothing beside 1 and 2.
        let mut measure = |kept: &BTreeSet<usize>| {
            let gain = |at: usize, gain: f64| if kept.contains(&at) { gain } else { 0. };
            let mean = match kept.contains(&1) && kept.contains(&2) {
                true => 0.9995,
                false => 0.99 + gain(0, 1e-3) + gain(1, 5e-4) + gain(2, 4e-4),
            };
            let (p1, minimum) = (mean, mean);
            Ok(Fidelity { mean, p1, minimum })
        };
        let options = QuantizeOptions::default();
        let found = search(4, &options, &mut measure, &mut |_| {}).expect("it is met");
        assert_eq!(found.kept, BTreeSet::from([1, 2]));
        // All, each alone, two of the bisection, two that might go.
        assert_eq!(found.measurements, 9);
    }

    #[test]
    fn many_layers_are_judged_in_groups_and_the_runs_are_bounded() {
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
