//! Encoders side by side, on the same files, the same library and the same
//! texts, in turns: what disturbs the machine disturbs all of them.

use std::path::Path;
use std::time::{Duration, Instant};

use multivec::Precision;
use multivec_peers_protocol::{Kind, Result};

use crate::encoders::{self, Encoder, OWN};
use crate::machine::{self, Rounds};
use crate::models::{self, Model};
use crate::process::Process;
use crate::results::{self, Compared, Latency, Measured};
use crate::statistics::{Summary, percentile};
use crate::texts::{self, Case};

/// Threads of ONNX Runtime and of PyTorch spin for a while after a run, in
/// another's way.
const PAUSE: Duration = Duration::from_millis(250);
/// Queries of a turn.
const QUERIES: usize = 10;

pub fn run(rounds: Rounds, only: Option<&str>) -> Result {
    results::of_each_model(machine::peers_section(), (rounds, only), |model| {
        compare(model, rounds)
    })
}

/// An encoder that is loaded, and what was measured of it.
struct Contestant {
    encoder: Encoder,
    process: Process,
    measured: Measured,
}

fn compare(model: &Model, rounds: Rounds) -> Result<Compared> {
    let own = model.encoder()?;
    let cases = texts::cases(&own, |many| rounds.count(many / model.scale))?;
    let (reference, expected) = reference(model, &cases)?;
    let mut skipped = Vec::new();
    let mut contestants = Vec::new();
    for encoder in encoders::ALL {
        if let Some(reason) = encoder.unavailable(model)? {
            skipped.push(format!("{}: {reason}", encoder.title()));
            continue;
        }
        let mut process = encoder.start()?;
        process
            .load(&encoder.load(model))
            .map_err(|error| format!("{}: {error}", encoder.title()))?;
        let rows = process.vectors(Kind::Document, &sample(&cases))?;
        let checked = agreement(&rows, &expected, own.dim())
            .and_then(|found| close_enough(found, model.precision, &reference));
        let (cosine_mean, cosine_least) = match checked {
            Ok(found) => found,
            Err(error) if encoder.name == OWN => {
                return Err(format!("{}: {error}", encoder.title()));
            }
            // Others do not take every model: what they make of one that they do
            // not is not timed.
            Err(error) => {
                skipped.push(format!("{}: {error}", encoder.title()));
                continue;
            }
        };
        contestants.push(Contestant {
            process,
            measured: Measured {
                encoder: encoder.title(),
                cosine_mean,
                cosine_least,
                throughput: Vec::new(),
                query: None,
                first: None,
            },
            encoder,
        });
    }
    for case in &cases {
        throughput(&mut contestants, case, rounds.count(9))?;
    }
    latency(&mut contestants, rounds.count(40))?;
    let encoders: Vec<(Encoder, Measured)> = contestants
        .into_iter()
        .map(|contestant| (contestant.encoder, contestant.measured))
        .collect();
    Ok(Compared {
        reference,
        encoders: start(model, encoders, rounds.count(5))?,
        skipped,
    })
}

/// Cosines as they are, unless another model's rows would be as far away.
fn close_enough(found: (f64, f64), precision: Precision, reference: &str) -> Result<(f64, f64)> {
    let least = match precision {
        Precision::Fp32 => 0.9999,
        // One scale for a batch or one for each row: no two agree better.
        _ => 0.9,
    };
    match found {
        (mean, _) if mean >= least => Ok(found),
        (mean, _) => Err(format!(
            "expected a mean cosine to {reference} of at least {least}, found {mean:.4}"
        )),
    }
}

/// Some texts of each case.
fn sample(cases: &[Case]) -> Vec<String> {
    cases
        .iter()
        .flat_map(|case| case.texts.iter().take(4).cloned())
        .collect()
}

/// Rows of the sample in FP32 where that is there, else in multivec; with a
/// name for them.
fn reference(model: &Model, cases: &[Case]) -> Result<(String, Vec<Vec<f32>>)> {
    let (name, encoder) = match &model.fp32 {
        Some(directory) => ("FP32", models::load(directory, Precision::Fp32)?),
        None => (OWN, model.encoder()?),
    };
    let found = encoder
        .encode_documents(&sample(cases))
        .map_err(|error| error.to_string())?;
    let rows = found.iter().map(|text| text.as_slice().to_vec());
    Ok((name.to_owned(), rows.collect()))
}

/// Mean and least cosine of rows.
fn agreement(found: &[Vec<f32>], expected: &[Vec<f32>], dim: usize) -> Result<(f64, f64)> {
    let lengths = |texts: &[Vec<f32>]| texts.iter().map(Vec::len).collect::<Vec<_>>();
    if lengths(found) != lengths(expected) {
        return Err("it gives other numbers of rows than the reference".to_owned());
    }
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        let products = left
            .iter()
            .zip(right)
            .map(|(l, r)| f64::from(*l) * f64::from(*r));
        products.sum()
    };
    let cosines: Vec<f64> = found
        .iter()
        .zip(expected)
        .flat_map(|(found, expected)| found.chunks(dim).zip(expected.chunks(dim)))
        .map(|(left, right)| dot(left, right) / (dot(left, left) * dot(right, right)).sqrt())
        .collect();
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    let least = cosines.iter().copied().fold(f64::INFINITY, f64::min);
    Ok((mean, least))
}

/// Runs a closure for every encoder in each round, another one first each time.
fn in_turns(
    contestants: &mut [Contestant],
    rounds: usize,
    mut turn: impl FnMut(usize, usize, &mut Process) -> Result,
) -> Result {
    for round in 0..rounds {
        for position in 0..contestants.len() {
            let at = (position + round) % contestants.len();
            std::thread::sleep(PAUSE);
            turn(round, at, &mut contestants[at].process)?;
        }
    }
    Ok(())
}

fn throughput(contestants: &mut [Contestant], case: &Case, rounds: usize) -> Result {
    let mut found = vec![Vec::new(); contestants.len()];
    // The first round warms up.
    in_turns(contestants, rounds + 1, |round, at, process| {
        let seconds = process.encode(Kind::Document, &case.texts)?;
        if round > 0 {
            found[at].push(case.texts.len() as f64 / seconds);
        }
        Ok(())
    })?;
    for (contestant, values) in contestants.iter_mut().zip(&found) {
        let summary = Summary::of(values);
        let Measured { encoder, .. } = &contestant.measured;
        println!("{}, {encoder}: {:.1} docs/s", case.name, summary.median);
        let throughput = &mut contestant.measured.throughput;
        throughput.push((case.name.clone(), summary));
    }
    Ok(())
}

fn latency(contestants: &mut [Contestant], rounds: usize) -> Result {
    let queries = texts::queries(QUERIES * rounds);
    let mut found = vec![Vec::new(); contestants.len()];
    in_turns(contestants, rounds, |round, at, process| {
        let queries = &queries[QUERIES * round..QUERIES * (round + 1)];
        let seconds = process.each(Kind::Query, queries)?;
        found[at].extend(seconds.into_iter().map(|seconds| 1e3 * seconds));
        Ok(())
    })?;
    for (contestant, values) in contestants.iter_mut().zip(&found) {
        let latency = Latency {
            p50: percentile(values, 0.5),
            p99: percentile(values, 0.99),
            count: values.len(),
        };
        let Measured { encoder, .. } = &contestant.measured;
        println!(
            "query, {encoder}: {:.2} ms, p99 {:.2} ms",
            latency.p50, latency.p99
        );
        contestant.measured.query = Some(latency);
    }
    Ok(())
}

/// Time to the first embedding, in processes of their own; for multivec also
/// without a cache of fused graphs, as on the very first load.
fn start(
    model: &Model,
    mut encoders: Vec<(Encoder, Measured)>,
    rounds: usize,
) -> Result<Vec<Measured>> {
    let empty = models::root().join("target/bench/empty-cache");
    let mut found = vec![Vec::new(); encoders.len()];
    let mut first_ever = Vec::new();
    for _ in 0..rounds {
        for ((encoder, _), found) in encoders.iter().zip(&mut found) {
            found.push(first_embedding(encoder, model, &[])?);
        }
        remove(&empty)?;
        let cache = empty.to_string_lossy().into_owned();
        first_ever.push(first_embedding(
            &encoders[0].0,
            model,
            &[("XDG_CACHE_HOME", &cache)],
        )?);
    }
    remove(&empty)?;
    for ((_, measured), values) in encoders.iter_mut().zip(&found) {
        measured.first = Some(Summary::of(values));
        println!(
            "first, {}: {:.0} ms",
            measured.encoder,
            percentile(values, 0.5)
        );
    }
    let mut encoders: Vec<Measured> = encoders.into_iter().map(|(_, measured)| measured).collect();
    let (cosine_mean, cosine_least) = (encoders[0].cosine_mean, encoders[0].cosine_least);
    println!("first ever: {:.0} ms", percentile(&first_ever, 0.5));
    encoders.push(Measured {
        encoder: "multivec, default, first load of a model ever".to_owned(),
        cosine_mean,
        cosine_least,
        throughput: Vec::new(),
        query: None,
        first: Some(Summary::of(&first_ever)),
    });
    Ok(encoders)
}

/// Milliseconds.
fn first_embedding(encoder: &Encoder, model: &Model, variables: &[(&str, &str)]) -> Result<f64> {
    let query = texts::queries(1);
    let start = Instant::now();
    let mut process = encoder.start_with(variables)?;
    process.load(&encoder.load(model))?;
    process.encode(Kind::Query, &query)?;
    Ok(1e3 * start.elapsed().as_secs_f64())
}

fn remove(folder: &Path) -> Result {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}
