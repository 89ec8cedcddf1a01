//! Engines in the browser, side by side.

use multivec_peers_protocol::Result;

use super::markdown::{table, three};
use super::{doubts, missing};
use crate::results::{Browser, BrowserModel, Engine};

/// Multi-vector models: the graph of each.
pub fn graphs(head: &str, found: &Browser) -> Result<String> {
    section(head, GRAPHS, found)
}

/// Dense models, from texts.
pub fn dense(head: &str, found: &Browser) -> Result<String> {
    section(head, DENSE, found)
}

fn section(head: &str, about: &str, found: &Browser) -> Result<String> {
    let machine = &found.machine;
    let doubts = doubts(machine.quick, machine.others.unwrap_or_default());
    let mut text = format!(
        "{head}\n\n{}; {}, {} cores; {}; onnxruntime-web {}; transformers.js {}.{doubts}\n\n{about}\n",
        machine.date,
        machine.cpu,
        machine.cores,
        machine.browser,
        machine.onnxruntime_web,
        machine.transformers,
    );
    for model in &found.models {
        text += &measured(model)?;
    }
    Ok(text + &missing(&found.missing))
}

const GRAPHS: &str = "Each engine runs in a worker of its own, in one session of the browser, in turns; milliseconds, medians after at least 15 runs for each length. Texts have exactly that many tokens. multivec is timed by its public interface, from the text to normalized rows; the others from ids that were made before to the output of the graph. Ratios say how many times as fast an engine is as onnxruntime-web with as many threads.";

const DENSE: &str = "Each engine runs in a worker of its own, in one session of the browser, in turns; milliseconds, medians after at least 15 runs for each length. Texts have exactly that many tokens, `16 × 24` are 16 of them in one call. Both libraries are timed by their public interfaces, from texts to normalized vectors: multivec by its `DenseEncoder`, transformers.js by its pipeline `feature-extraction` with `pooling: \"mean\"` and `normalize: true`, on the same graph, which ONNX Runtime's dynamic quantization makes in INT8. Vectors are compared with those of sentence-transformers first. Ratios say how many times as fast an engine is as transformers.js with as many threads.";

fn measured(model: &BrowserModel) -> Result<String> {
    let mut text = format!("\n### {}, {:.1} MB\n", model.name, model.bytes / 1e6);
    let first = model.engines.first().ok_or("no engine was measured")?;
    let cases: Vec<String> = first
        .cases
        .iter()
        .map(|case| match case.texts {
            1 => format!("{} tokens", case.tokens),
            texts => format!("{texts} × {}", case.tokens),
        })
        .collect();
    let head = || std::iter::once("ms (ratio)").chain(cases.iter().map(String::as_str));
    let head: Vec<&str> = head().collect();
    let rows: Vec<Vec<String>> = model
        .engines
        .iter()
        .map(|engine| {
            let base = baseline(model, engine);
            let cells = engine.cases.iter().enumerate().map(|(at, case)| {
                let other = base.and_then(|base| base.cases.get(at));
                let ratio = other.map(|other| other.times.median / case.times.median);
                let ratio = ratio.map_or_else(String::new, |ratio| format!(" ({ratio:.2})"));
                format!("{}{ratio}", three(case.times.median))
            });
            std::iter::once(engine.title()).chain(cells).collect()
        })
        .collect();
    text += &table(&head, &rows);
    text += &format!("\n{}", others(model));
    for skipped in &model.skipped {
        text += &format!("\nSkipped: {skipped}.\n");
    }
    Ok(text)
}

/// What engines are compared with: the first of these that was measured.
const BASELINES: [&str; 2] = ["onnxruntime-web", "transformers.js"];

/// The baseline with as many threads.
fn baseline<'a>(model: &'a BrowserModel, engine: &Engine) -> Option<&'a Engine> {
    let mut found = BASELINES.into_iter().filter_map(|name| {
        let mut others = model.engines.iter();
        others.find(|other| other.engine == name && other.threads == engine.threads)
    });
    found.next()
}

/// What is measured once for each engine.
fn others(model: &BrowserModel) -> String {
    let middle = |engine: &Engine| {
        engine
            .cases
            .iter()
            .find(|case| case.texts == 1 && case.tokens == 128)
            .cloned()
    };
    let rows: Vec<Vec<String>> = model
        .engines
        .iter()
        .map(|engine| {
            let case = middle(engine);
            let dash = || "–".to_owned();
            vec![
                engine.title(),
                engine.cold.map_or_else(dash, |cold| three(cold.median)),
                case.as_ref().map_or_else(dash, |case| three(case.first)),
                case.and_then(|case| case.tokenize).map_or_else(dash, three),
                format!("{:.0}", engine.memory / 1e6),
                format!("{:.2}", engine.memory / model.bytes),
                format!("{:.4}", engine.cosine_mean),
            ]
        })
        .collect();
    let head = [
        "",
        "cold start, ms",
        "first run at 128, ms",
        "of which tokenizing at 128, ms",
        "memory, MB",
        "memory to model",
        "cosine",
    ];
    format!(
        "{}\nCold start: from a new worker to the first embedding, with the library, the module and the model from a server on the same machine. Memory: of WebAssembly, at the end. Cosine: mean over rows, to {}.\n",
        table(&head, &rows),
        model.reference
    )
}
