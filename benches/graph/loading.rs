//! Time and memory of loading, each time in a process of its own.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use multivec::{EncoderBuilder, Engine, Error, Optimization, Precision};

const ROUNDS: usize = 3;
/// The first argument of a process that loads a model.
const CHILD: &str = "load";

/// Loads a model and says how that went, if this process was started for it.
pub fn run_child() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, root, precision, engine, form, cache] = arguments.as_slice() else {
        return false;
    };
    if command != CHILD {
        return false;
    }
    let precision = match precision.as_str() {
        "fp32" => Precision::Fp32,
        _ => Precision::Int8,
    };
    let engine = match engine.as_str() {
        "tract" => Engine::Tract,
        _ => Engine::OnnxRuntime,
    };
    let form = match form.as_str() {
        "published" => Optimization::Off,
        _ => Optimization::Checked,
    };
    let start = Instant::now();
    let built = EncoderBuilder::from_dir(root)
        .with_precision(precision)
        .with_engine(engine)
        .with_optimization(form)
        .with_cache_dir(cache)
        .build();
    let time = start.elapsed().as_secs_f64();
    match built {
        Ok(_encoder) => println!("{time} {}", largest().unwrap_or(f64::NAN)),
        Err(Error::EngineUnavailable { .. }) => {}
        Err(error) => panic!("{root}: {error}"),
    }
    true
}

/// The most memory that this process had, in megabytes, where Linux tells it.
fn largest() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.)
}

/// Loads a model as it was published, fused for the first time, and fused from
/// then on.
pub fn measure(name: &str, root: &Path, precision: Precision) {
    for engine in ["onnxruntime", "tract"] {
        for form in ["published", "first", "cached"] {
            let cache = tempfile::tempdir().expect("a temporary folder");
            if form == "cached" {
                load(root, precision, (engine, form), cache.path());
            }
            let rounds = (0..ROUNDS).filter_map(|_| {
                let found = load(root, precision, (engine, form), cache.path());
                if form == "first" && found.is_some() {
                    std::fs::remove_dir_all(cache.path().join("graphs")).expect("it is there");
                }
                found
            });
            let mut found: Vec<[f64; 2]> = rounds.collect();
            found.sort_by(|left, right| left[0].total_cmp(&right[0]));
            if let Some([time, memory]) = found.get(found.len() / 2) {
                println!("{name}, {engine}, loading, {form}: {time:.2} s, {memory:.0} MB");
            }
        }
    }
}

/// Seconds and megabytes; `None` where there is no such engine.
fn load(
    root: &Path,
    precision: Precision,
    (engine, form): (&str, &str),
    cache: &Path,
) -> Option<[f64; 2]> {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg(CHILD)
        .arg(root)
        .args([&precision.to_string(), engine, form])
        .arg(cache)
        .output()
        .expect("this program starts");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}
