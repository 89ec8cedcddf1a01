//! Tables of multivec's own settings: precision, threads and sessions, batches.

use std::hint::black_box;
use std::time::Instant;

use multivec::{BatchLimit, Encoder, EncoderBuilder, Precision};
use multivec_peers_protocol::Result;

use crate::encoders::cores;
use crate::machine::Rounds;
use crate::models::{self, Model};
use crate::results::{self, Table};
use crate::statistics::{Summary, percentile};
use crate::texts;

/// Tokens of a document, special tokens and marker included.
const LENGTH: usize = 128;

pub fn run(rounds: Rounds, only: Option<&str>) -> Result {
    results::of_each_model("settings", (rounds, only), |model| {
        let mut tables = Vec::from_iter(precision(model, rounds)?);
        tables.push(threads(model, rounds)?);
        tables.push(batches(model, rounds)?);
        Ok(tables)
    })
}

/// A setting by name, and what encodes all documents in it.
pub struct Setting<'a> {
    pub name: String,
    pub encode: Box<dyn FnMut() -> Result + 'a>,
}

/// Documents a second of each setting, in turns; the first round warms up.
pub fn in_turns(
    settings: &mut [Setting<'_>],
    documents: usize,
    rounds: usize,
) -> Result<Vec<Summary>> {
    let mut found = vec![Vec::new(); settings.len()];
    for round in 0..=rounds {
        for position in 0..settings.len() {
            let at = (position + round) % settings.len();
            let start = Instant::now();
            (settings[at].encode)().map_err(|error| format!("{}: {error}", settings[at].name))?;
            if round > 0 {
                found[at].push(documents as f64 / start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(found.iter().map(|values| Summary::of(values)).collect())
}

/// A table with the speed of each setting, and how it compares with the first.
pub fn table(
    title: String,
    mut settings: Vec<Setting<'_>>,
    documents: usize,
    rounds: usize,
) -> Result<Table> {
    let found = in_turns(&mut settings, documents, rounds)?;
    let rows = settings.iter().zip(&found).map(|(setting, summary)| {
        println!("{title}, {}: {:.1} docs/s", setting.name, summary.median);
        vec![
            setting.name.clone(),
            format!("{:.1}", summary.median),
            format!("{:.1} to {:.1}", summary.low, summary.high),
            format!("{:.2}", summary.median / found[0].median),
        ]
    });
    Ok(Table {
        rows: rows.collect(),
        title,
        columns: ["", "docs/s", "10th to 90th percentile", "to the first row"]
            .map(str::to_owned)
            .into(),
        note: format!("{documents} documents, median of {rounds} rounds in turns."),
    })
}

fn setting<'a>(name: &str, encoder: Encoder, texts: &'a [String]) -> Setting<'a> {
    Setting {
        name: name.to_owned(),
        encode: Box::new(move || {
            let found = encoder.encode_documents(texts);
            black_box(found)
                .map(|_| ())
                .map_err(|error| error.to_string())
        }),
    }
}

fn build(builder: &EncoderBuilder) -> Result<Encoder> {
    builder.build().map_err(|error| error.to_string())
}

/// INT8 against FP32, in speed and in what it gives.
fn precision(model: &Model, rounds: Rounds) -> Result<Option<Table>> {
    let (Precision::Int8, Some(directory)) = (model.precision, &model.fp32) else {
        return Ok(None);
    };
    let int8 = model.encoder()?;
    let fp32 = models::load(directory, Precision::Fp32)?;
    let texts = texts::documents(&int8, LENGTH, 32 / model.scale)?;
    let encode = |encoder: &Encoder| {
        let found = encoder.encode_documents(&texts);
        found.map_err(|error| error.to_string())
    };
    let (left, right) = (encode(&int8)?, encode(&fp32)?);
    let cosines: Vec<f64> = left
        .iter()
        .zip(&right)
        .flat_map(|(left, right)| {
            (0..left.tokens()).map(|row| f64::from(left.row(row).dot(&right.row(row))))
        })
        .collect();
    let settings = vec![setting("fp32", fp32, &texts), setting("int8", int8, &texts)];
    let title = format!("Precision, {LENGTH} tokens");
    let mut table = table(title, settings, texts.len(), rounds.count(9))?;
    table.note += &format!(
        " Cosine of INT8 rows to FP32: mean {:.4}, 1st percentile {:.4}, least {:.4}.",
        cosines.iter().sum::<f64>() / cosines.len() as f64,
        percentile(&cosines, 0.01),
        percentile(&cosines, 0.),
    );
    Ok(Some(table))
}

/// Sessions and the threads of each.
fn threads(model: &Model, rounds: Rounds) -> Result<Table> {
    let default = model.encoder()?;
    let texts = texts::documents(&default, LENGTH, 32 / model.scale)?;
    let mut settings = vec![setting("default", default, &texts)];
    let cores = cores();
    let powers = (0..)
        .map(|power| 1 << power)
        .take_while(|&count| count <= 2 * cores);
    for sessions in powers {
        for threads in [1, cores / sessions, 2 * cores / sessions] {
            let name = format!("{sessions} × {threads}");
            if threads == 0 || settings.iter().any(|setting| setting.name == name) {
                continue;
            }
            let builder = EncoderBuilder::from_dir(&model.directory)
                .with_precision(model.precision)
                .with_sessions(sessions)
                .with_threads(threads);
            settings.push(setting(&name, build(&builder)?, &texts));
        }
    }
    let title = format!("Sessions × threads, {LENGTH} tokens");
    let mut table = table(title, settings, texts.len(), rounds.count(9))?;
    table.note += &format!(" {cores} cores.");
    Ok(table)
}

/// How much goes into a batch.
fn batches(model: &Model, rounds: Rounds) -> Result<Table> {
    let default = model.encoder()?;
    let texts = texts::documents(&default, LENGTH, 64 / model.scale)?;
    let mut settings = vec![setting("default", default, &texts)];
    for size in [1, 4, 8, 16, 32, 64] {
        let builder = EncoderBuilder::from_dir(&model.directory)
            .with_precision(model.precision)
            .with_batch_limit(BatchLimit::Texts(size));
        settings.push(setting(&format!("{size} texts"), build(&builder)?, &texts));
    }
    let title = format!("Batches, {LENGTH} tokens");
    table(title, settings, texts.len(), rounds.count(9))
}
