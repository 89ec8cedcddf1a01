//! Searches of mapped corpora, and how their time and memory grow:
//! `cargo bench --bench corpora`.
//!
//! Documents of 60 rows, 128 columns, in integers of 8 bits; queries of 32 rows. A
//! cold search is the first one of a file that the system no longer holds, where it
//! can be asked to drop it.

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use multivec::corpus::{self, Corpus, CorpusSpace, SearchOptions, VectorPrecision};
use multivec::{Embedding, ThreadPool};
use multivec_kernels::sample::{LIMIT, numbers};

const COLUMNS: usize = 128;
const DOCUMENT_ROWS: usize = 60;
const QUERY_ROWS: usize = 32;
const DOCUMENTS: [usize; 3] = [10_000, 30_000, 100_000];
/// Different documents, which take turns in a corpus.
const DIFFERENT: usize = 500;
const ROUNDS: usize = 11;
const BEST: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let threads = std::thread::available_parallelism()?.get();
    let mut pool = ThreadPool::default();
    pool.grow_to(threads)?;
    let mut drawn = numbers().map(|number| number as f32 / LIMIT as f32 - 0.5);
    let query = [rows(QUERY_ROWS, &mut drawn)?];
    let documents = (0..DIFFERENT).map(|_| rows(DOCUMENT_ROWS, &mut drawn));
    let documents = documents.collect::<multivec::Result<Vec<_>>>()?;
    let one = SearchOptions::new(BEST);
    let all = one.with_threads(&pool);
    println!(
        "| documents | MB | open, ms | cold search, ms | warm, {threads} threads | warm, 1 thread | \
         pages of the file, MB |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for count in DOCUMENTS {
        let path = folder.path().join("corpus");
        write(&path, &documents, count)?;
        drop_pages(&path)?;
        let start = Instant::now();
        let corpus = corpus::open(&path)?;
        let open = milliseconds(start);
        let cold = search(&corpus, &query, &all)?;
        let pages = file_pages();
        println!(
            "| {count} | {:.0} | {open:.1} | {cold:.0} | {:.1} | {:.1} | {} |",
            fs::metadata(&path)?.len() as f64 / 1e6,
            median(|| search(&corpus, &query, &all))?,
            median(|| search(&corpus, &query, &one))?,
            in_megabytes(pages),
        );
        drop(corpus);
        fs::remove_file(&path)?;
    }
    Ok(())
}

/// Rows of norm 1 from random numbers.
fn rows(count: usize, drawn: &mut impl Iterator<Item = f32>) -> multivec::Result<Embedding> {
    let mut values: Vec<f32> = drawn.take(count * COLUMNS).collect();
    for row in values.chunks_exact_mut(COLUMNS) {
        let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= norm);
    }
    Embedding::from_rows(values, COLUMNS)
}

fn write(path: &Path, documents: &[Embedding], count: usize) -> multivec::Result<()> {
    let space = CorpusSpace::new(COLUMNS).with_precision(VectorPrecision::Int8);
    let mut writer = corpus::create(path, space)?;
    for (at, document) in documents.iter().cycle().take(count).enumerate() {
        writer.push(&at.to_string(), document)?;
    }
    writer.finish()?;
    Ok(())
}

/// Has the system write the file to its disk, and drop what it keeps of it.
fn drop_pages(path: &Path) -> std::io::Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Milliseconds of a search.
fn search(
    corpus: &Corpus,
    query: &[Embedding],
    options: &SearchOptions<'_>,
) -> multivec::Result<f64> {
    let start = Instant::now();
    black_box(corpus.search_many(query, options)?);
    Ok(milliseconds(start))
}

fn median(mut run: impl FnMut() -> multivec::Result<f64>) -> multivec::Result<f64> {
    let times = (0..ROUNDS).map(|_| run());
    let mut times = times.collect::<multivec::Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[ROUNDS / 2])
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Kilobytes of files that this process has in memory, where the system tells.
fn file_pages() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssFile"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn in_megabytes(kilobytes: Option<u64>) -> String {
    kilobytes.map_or("–".to_owned(), |size| format!("{:.0}", size as f64 / 1e3))
}
