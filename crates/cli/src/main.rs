//! The command line `multivec`.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod console;
mod demo;
#[cfg(feature = "hub")]
mod downloads;
mod failure;
mod flags;
mod guard;
mod input;
mod ipc;
mod models;
mod output;
mod parquet_files;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{encode, export, info, optimize, quantize, rerank, runtime, search, verify};
use console::{Format, Verdict, is_closed_pipe, print};
use failure::Failure;
use multivec::Error;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

/// Encoders for retrieval: multi-vector (ColBERT), dense, sparse and rerankers.
#[derive(Parser)]
#[command(name = "multivec", version, arg_required_else_help = true)]
struct Arguments {
    /// Print results as a JSON object, the last line of stdout.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Encode a file of texts into a file of embeddings.
    Encode(encode::Arguments),
    /// Encode documents and rank them for queries.
    Search(search::Arguments),
    /// Score documents with a query by a cross-encoder, best first.
    Rerank(rerank::Arguments),
    /// Load a model and show its engine, graph, lengths and fingerprint.
    Info(info::Arguments),
    /// Download a model of a hub into the cache, as loading it does.
    #[cfg(feature = "hub")]
    Pull(commands::pull::Arguments),
    /// Write a model as one ONNX graph, in the layout of pylate-onnx-export.
    Export(export::Arguments),
    /// Write a copy of a model with its graph fused for ONNX Runtime.
    Optimize(optimize::Arguments),
    /// Write an INT8 model, made from the FP32 model.
    Quantize(quantize::Arguments),
    /// Compare the embeddings of a model with those of a reference model.
    Verify(verify::Arguments),
    /// Show the ONNX Runtime libraries that were found and the one in use.
    Runtime(runtime::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let format = if arguments.json {
        Format::Json
    } else {
        Format::Text
    };
    let done = match &arguments.command {
        Command::Encode(arguments) => encode::run(arguments, format),
        Command::Search(arguments) => search::run(arguments, format),
        Command::Rerank(arguments) => rerank::run(arguments, format),
        Command::Info(arguments) => info::run(arguments, format).map_err(Failure::from),
        #[cfg(feature = "hub")]
        Command::Pull(arguments) => commands::pull::run(arguments, format).map_err(Failure::from),
        Command::Export(arguments) => export::run(arguments, format).map_err(Failure::from),
        Command::Optimize(arguments) => optimize::run(arguments, format).map_err(Failure::from),
        Command::Quantize(arguments) => quantize::run(arguments, format).map_err(Failure::from),
        Command::Verify(arguments) => match verify::run(arguments, format) {
            Ok(Verdict::Missed) => return ExitCode::from(FAILURE),
            other => other.map(drop).map_err(Failure::from),
        },
        Command::Runtime(arguments) => runtime::run(arguments, format).map_err(Failure::from),
    };
    let Err(failure) = done else {
        return ExitCode::SUCCESS;
    };
    let error = &failure.error;
    if is_closed_pipe(error) {
        // The reader has seen enough, as `head` does.
        return ExitCode::SUCCESS;
    }
    let message = failure.message();
    eprintln!("error: {message}");
    if format == Format::Json {
        let object = serde_json::json!({
            "error": { "code": error.code(), "message": message }
        });
        // Nothing is left to do if stdout is closed too.
        let _ = print(&object.to_string());
    }
    ExitCode::from(match error {
        Error::InvalidOption { .. } => USAGE,
        _ => FAILURE,
    })
}
