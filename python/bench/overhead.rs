//! The crate beside the package: encodes the documents of a file each time a line
//! arrives, and prints the seconds that it took. `overhead.py` drives it.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use multivec::EncoderBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, texts, threads] = arguments.as_slice() else {
        return Err(format!("expected MODEL, TEXTS and THREADS, found {arguments:?}").into());
    };
    let texts = fs::read_to_string(texts)?;
    let texts: Vec<&str> = texts.lines().collect();
    let encoder = EncoderBuilder::from_dir(model)
        .with_threads(threads.parse()?)
        .build()?;
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        black_box(encoder.encode_documents(&texts)?);
        writeln!(output, "{}", start.elapsed().as_secs_f64())?;
        output.flush()?;
    }
    Ok(())
}
