//! The faster form of a graph runs, where both have the same vectors.

use std::fs;
use std::path::{Path, PathBuf};

use multivec::{Encoder, EncoderBuilder, Engine, FormSpeed, GraphForm, Optimization, Precision};
use multivec_testing::engines::ENGINES;

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/tiny-modernbert"
);
const TEXTS: [&str; 2] = ["One text.", "Another, rather longer text about nothing."];
/// Batches whose original form takes half as long as the fused one, and the other way
/// round, with their times in nanoseconds.
const ORIGINAL_LEADS: &str = "1 8 2000000 4000000\n8 24 20000000 40000000\n";
const FUSED_LEADS: &str = "1 8 4000000 2000000\n8 24 40000000 20000000\n";

struct Loads<'a> {
    cache: &'a Path,
    engine: Engine,
}

impl Loads<'_> {
    fn load(&self, precision: Precision, optimization: Optimization) -> Encoder {
        EncoderBuilder::from_dir(MODEL)
            .with_precision(precision)
            .with_engine(self.engine)
            .with_optimization(optimization)
            .with_cache_dir(self.cache)
            .build()
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.engine))
    }

    /// The file of the times of the only graph in the cache.
    fn times(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.cache.join("graphs")).expect("a folder");
        let entry = entries.next().expect("an entry").expect("it can be read");
        assert!(entries.next().is_none());
        entry.path().join("times.txt")
    }
}

fn vectors(encoder: &Encoder) -> Vec<f32> {
    let found = encoder.encode_documents(&TEXTS).expect("texts encode");
    found
        .iter()
        .flat_map(|one| one.as_slice().to_vec())
        .collect()
}

#[test]
fn forms_are_timed_once() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let loads = Loads {
            cache: cache.path(),
            engine,
        };
        // A graph that was fused without timing is timed when that is asked for.
        let checked = loads.load(Precision::Fp32, Optimization::Checked);
        assert_eq!(checked.info().speed, FormSpeed::NotMeasured);
        assert!(!loads.times().exists());
        let first = loads.load(Precision::Fp32, Optimization::Measured);
        let FormSpeed::Measured(times) = &first.info().speed else {
            panic!("{}", first.info().speed);
        };
        // The probes, and shorter batches where they fit into the time.
        assert!((3..=5).contains(&times.len()), "{times:?}");
        assert!(
            times
                .iter()
                .all(|one| !one.original.is_zero() && !one.fused.is_zero())
        );
        let kept = fs::read(loads.times()).expect("times are kept");
        let again = loads.load(Precision::Fp32, Optimization::Measured);
        assert_eq!(again.info(), first.info());
        assert_eq!(again.fingerprint(), first.fingerprint());
        assert_eq!(fs::read(loads.times()).expect("times are kept"), kept);
    }
}

#[test]
fn the_faster_form_runs() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let loads = Loads {
            cache: cache.path(),
            engine,
        };
        let fused = loads.load(Precision::Fp32, Optimization::Checked);
        fs::write(loads.times(), ORIGINAL_LEADS).expect("written");
        let original = loads.load(Precision::Fp32, Optimization::Measured);
        assert_eq!(original.info().graph, GraphForm::Original);
        assert!(
            original
                .info()
                .speed
                .to_string()
                .contains("0.50 times as fast")
        );
        assert_eq!(original.fingerprint().space(), fused.fingerprint().space());
        for (one, other) in vectors(&original).iter().zip(vectors(&fused)) {
            assert!((one - other).abs() <= 1e-4, "{one} {other}");
        }
        let checked = loads.load(Precision::Fp32, Optimization::Checked);
        assert_eq!(checked.info(), fused.info());

        fs::write(loads.times(), FUSED_LEADS).expect("written");
        let faster = loads.load(Precision::Fp32, Optimization::Measured);
        assert_eq!(faster.info().graph, fused.info().graph);
        assert_eq!(faster.fingerprint(), fused.fingerprint());
        assert!(
            faster
                .info()
                .speed
                .to_string()
                .contains("2.00 times as fast")
        );
    }
}

/// The original form of a quantized graph has other vectors, so that it never runs
/// for its speed.
#[test]
fn no_time_changes_the_vectors_of_quantized_models() {
    for &engine in ENGINES {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let loads = Loads {
            cache: cache.path(),
            engine,
        };
        let first = loads.load(Precision::Int8, Optimization::Measured);
        assert!(matches!(first.info().graph, GraphForm::Fused(_)));
        assert_eq!(first.info().speed, FormSpeed::OtherVectors);
        assert!(!loads.times().exists());
        fs::write(loads.times(), ORIGINAL_LEADS).expect("written");
        let again = loads.load(Precision::Int8, Optimization::Measured);
        assert_eq!(again.info(), first.info());
        assert_eq!(vectors(&again), vectors(&first));
    }
}
