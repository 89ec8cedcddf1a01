//! The choice between a graph's forms: by their vectors first, then by their speed.

use multivec_core::equivalence::{Outputs, Probes};
use multivec_core::{FormSpeed, FormTimes, GraphForm, ModelKind, Result};
use multivec_graph::{self as graph, Fused, Graph};
use multivec_kernels::Granularity;

use super::cache::{Cache, FusedGraph, Verdict};
use super::race::{self, BatchTime, Race, Stopwatch};
use super::{GraphLoader, GraphRunner};
use crate::options::Optimization;
use crate::trace::event;

/// Loads the fused graph if it gives the same vectors and is not slower, otherwise
/// the original.
pub(super) struct Choice<'a, 'p, R> {
    pub(super) loader: &'a GraphLoader<'p, R>,
    pub(super) optimization: Optimization,
    /// Where the result is kept.
    pub(super) cache: Option<Cache>,
}

impl<R: GraphRunner> Choice<'_, '_, R> {
    pub(super) fn load(&self) -> Result<R::Backend> {
        match self.cache.as_ref().and_then(Cache::read) {
            Some(Verdict::Original) => return self.loader.load(),
            Some(Verdict::Refused { distance }) => {
                return self.runner().open_original(GraphForm::Refused { distance });
            }
            // A damaged file is made again.
            Some(Verdict::Fused(kept)) => {
                if let Some(backend) = self.load_kept(&kept)? {
                    event!(DEBUG, "the fused graph comes from the cache");
                    return Ok(backend);
                }
            }
            None => {}
        }
        self.try_fused()
    }

    fn runner(&self) -> &R {
        &self.loader.runner
    }

    /// `None` if the graph is damaged.
    fn load_kept(&self, kept: &FusedGraph) -> Result<Option<R::Backend>> {
        let speed = match self.known_speed(kept.fused) {
            Some(speed) => speed,
            None => {
                let probes = self.probes();
                let race = self.race(&probes);
                let original = race.time(&self.loader.load()?);
                let backend = self.open_kept(kept);
                return backend
                    .map(|backend| self.faster(&race, original, backend, kept))
                    .transpose();
            }
        };
        let backend = match &speed {
            FormSpeed::Measured(times) if race::original_leads(times) => Some(self.loader.load()?),
            _ => self.open_kept(kept),
        };
        Ok(backend.map(|backend| self.runner().with_speed(backend, speed)))
    }

    fn open_kept(&self, kept: &FusedGraph) -> Option<R::Backend> {
        let model = self.runner().model();
        let graph = Graph::parse(model.file(), kept.graph.clone().into()).ok()?;
        let graph = graph.with_weights_of(&model.graph)?;
        Some(self.runner().open_fused(graph, kept.fused).ok()?.0)
    }

    fn try_fused(&self) -> Result<R::Backend> {
        let original_graph = &self.runner().model().graph;
        let mut graph = original_graph.clone();
        let fused = graph::fuse(&mut graph);
        if !self.runner().gains_by(&fused) {
            self.keep(&Verdict::Original);
            return self.loader.load();
        }
        let probes = self.probes();
        let speed = self.known_speed(fused).ok_or_else(|| self.race(&probes));
        // Never both at once, to save memory.
        let original = self.loader.load()?;
        let watch = Stopwatch::new(&original);
        // If the original fails, so does making the encoder, which reports it.
        let Ok(expected) = probes.run(&watch) else {
            return Ok(original);
        };
        if let Err(race) = &speed {
            race.go_on(&watch);
        }
        let original_times = watch.times();
        drop(original);
        let kept = graph.clone().without_weights_of(original_graph);
        let backend = match self.same_vectors(&probes, &expected, graph, fused) {
            Ok(backend) => backend,
            Err(distance) => {
                event!(
                    WARN,
                    file = self.runner().model().file(),
                    distance = distance,
                    "the fused graph gives other vectors: the original graph runs"
                );
                self.keep(&Verdict::Refused { distance });
                return self.runner().open_original(GraphForm::Refused { distance });
            }
        };
        let kept = FusedGraph {
            fused,
            graph: kept.into_bytes(),
        };
        self.keep(&Verdict::Fused(kept.clone()));
        match speed {
            Ok(speed) => Ok(self.runner().with_speed(backend, speed)),
            Err(race) => self.faster(&race, original_times, backend, &kept),
        }
    }

    /// Opens the fused graph if it gives the vectors of the original, otherwise says
    /// how much they differ.
    fn same_vectors(
        &self,
        probes: &Probes,
        expected: &Outputs,
        graph: Graph,
        fused: Fused,
    ) -> std::result::Result<R::Backend, f32> {
        // While comparing, activations are quantized as in the original graph,
        // so that only the order of additions differs.
        let compared = self
            .runner()
            .open_fused(graph, fused)
            .and_then(|(backend, granularity)| {
                granularity.set(Granularity::Tensor);
                let found = probes.run(&backend)?;
                granularity.set(Granularity::Row);
                Ok((found, backend))
            });
        // A graph that does not run differs infinitely.
        let Ok((found, backend)) = compared else {
            return Err(f32::INFINITY);
        };
        let difference = probes.compare(expected, &found, self.loader.precision);
        event!(
            DEBUG,
            distance = difference.distance,
            bound = difference.bound,
            "the fused and the original graph were compared"
        );
        if difference.is_within_bound() {
            Ok(backend)
        } else {
            Err(difference.distance)
        }
    }

    /// What is known of the speed of both forms; `None` if it is to be measured.
    ///
    /// Quantized layers of the fused form have a scale for each row, those of the
    /// original one for the whole batch. Whichever is faster, their vectors are not
    /// the same, and no machine should change them.
    fn known_speed(&self, fused: Fused) -> Option<FormSpeed> {
        if self.optimization != Optimization::Measured {
            return Some(FormSpeed::NotMeasured);
        }
        if self.loader.precision.is_quantized() || fused.quantized > 0 {
            return Some(FormSpeed::OtherVectors);
        }
        // Without a place for the result, it could be another one each time.
        let Some(cache) = &self.cache else {
            return Some(FormSpeed::NotMeasured);
        };
        cache.read_times().map(FormSpeed::Measured)
    }

    fn probes(&self) -> Probes {
        let GraphLoader { parts, .. } = self.loader;
        let probes = Probes::new(parts.tokenizer(), parts.config().document_length);
        match parts.kind() {
            ModelKind::CrossEncoder => probes.as_pairs(),
            _ => probes,
        }
    }

    fn race<'r>(&self, probes: &'r Probes) -> Race<'r> {
        let GraphLoader { parts, .. } = self.loader;
        Race::new(probes, parts.tokenizer(), parts.config().document_length)
    }

    /// Times the fused form, and keeps the faster one.
    fn faster(
        &self,
        race: &Race<'_>,
        original: Vec<BatchTime>,
        backend: R::Backend,
        kept: &FusedGraph,
    ) -> Result<R::Backend> {
        let fused = race.time(&backend);
        let times = race::beside(&original, &fused);
        if !race::original_leads(&times) {
            return Ok(self.measured(backend, times));
        }
        // What disturbed the machine may have disturbed one form alone.
        drop(backend);
        let backend = self.loader.load()?;
        let again = race.time(&backend);
        let times = race::beside(&race::slower(&original, &again), &fused);
        if race::original_leads(&times) {
            return Ok(self.measured(backend, times));
        }
        let backend = self.open_kept(kept).unwrap_or(backend);
        Ok(self.measured(backend, times))
    }

    /// Keeps the times. If that fails, the next load measures again.
    fn measured(&self, backend: R::Backend, times: Vec<FormTimes>) -> R::Backend {
        if let Some(cache) = &self.cache {
            let _: std::io::Result<()> = cache.write_times(&times);
        }
        self.runner()
            .with_speed(backend, FormSpeed::Measured(times))
    }

    /// Writes a verdict to the cache. If that fails, the next load compares again.
    fn keep(&self, verdict: &Verdict) {
        if let Some(cache) = &self.cache {
            let _: std::io::Result<()> = cache.write(verdict);
        }
    }
}
