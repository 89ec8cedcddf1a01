//! Streams, cancellation and deadlines.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use multivec::{
    BatchLimit, Cancellation, Control, EncodeOptions, Encoder, EncoderBuilder, Error, Pooling,
    Precision, Progress, TextKind, TruncationPolicy,
};
use multivec_testing::TINY_BERT;
use multivec_testing::models::{bytes, load};

fn encoder() -> Encoder {
    load(&TINY_BERT, Precision::Fp32, &EncodeOptions::default())
}

fn texts(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|at| format!("text {at} {}", "and a word ".repeat(at % 7)))
}

/// Checks at compile time what async code and thread pools require.
const _: () = {
    const fn shared<T: Send + Sync + Clone + 'static>() {}
    const fn moved<T: Send + 'static>() {}
    shared::<Encoder>();
    shared::<Cancellation>();
    shared::<Control>();
    moved::<multivec::EncodeJob>();
    moved::<multivec::EmbeddingStream<std::vec::IntoIter<String>>>();
    moved::<Error>();
};

#[test]
fn a_stream_gives_the_same_as_a_call() {
    let mut options = EncodeOptions::default();
    options.pooling = Some(Pooling::by(2));
    let encoder = encoder().with_options(&options).expect("valid");
    let all: Vec<String> = texts(150).collect();
    for kind in [TextKind::Query, TextKind::Document] {
        let expected = encoder.encode(&all, kind).expect("texts encode");
        for read_ahead in [0, 1, 7, 149, 150, 1000] {
            let stream = encoder.stream(&all, kind).with_read_ahead(read_ahead);
            let found: Vec<_> = stream.collect::<Result<_, _>>().expect("texts encode");
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let distance = multivec_testing::parity::largest_difference(
                    found.as_slice(),
                    expected.as_slice(),
                );
                assert!(distance <= 1e-5, "{distance}");
            }
        }
    }
}

#[test]
fn reading_ahead_is_bounded() {
    let read = AtomicUsize::new(0);
    let endless = (0..).map(|at| {
        read.fetch_add(1, Ordering::Relaxed);
        format!("text {at}")
    });
    let mut stream = encoder().stream_documents(endless).with_read_ahead(10);
    for at in 0..35usize {
        stream.next().expect("it is endless").expect("it encodes");
        assert_eq!(read.load(Ordering::Relaxed), at / 10 * 10 + 10);
    }
}

#[test]
fn reading_ahead_is_bounded_in_bytes() {
    let read = AtomicUsize::new(0);
    let long = "word ".repeat(1 << 16);
    let endless = std::iter::repeat_with(|| {
        read.fetch_add(1, Ordering::Relaxed);
        long.as_str()
    });
    let mut stream = encoder().stream_documents(endless);
    stream.next().expect("it is endless").expect("it encodes");
    // Each has a third of a megabyte.
    assert_eq!(read.load(Ordering::Relaxed), 4);
}

/// A text of ten megabytes, and a hundred thousand texts.
#[test]
fn huge_inputs_are_truncated_or_streamed() {
    let encoder = encoder();
    let long = "word ".repeat(2 << 20);
    let document = encoder.encode_document(&long).expect("it is truncated");
    let truncation = document.truncation().expect("its text is known");
    // Every word has the same number of tokens.
    let tokens = truncation.kept_tokens + truncation.dropped_tokens;
    assert!(
        tokens >= 2 << 20 && tokens.is_multiple_of(2 << 20),
        "{tokens}"
    );
    drop(document);

    let texts = (0..100_000).map(|at| ["a", "b c", "d"][at % 3]);
    let mut stream = encoder.stream_documents(texts);
    let first = stream.next().expect("there are texts").expect("it encodes");
    assert_eq!(stream.filter(Result::is_ok).count(), 99_999);
    assert_eq!(first.tokens(), 4);
}

#[test]
fn a_failure_names_its_text_and_ends_the_stream() {
    let mut options = EncodeOptions::default();
    options.truncation = TruncationPolicy::Error;
    let encoder = encoder().with_options(&options).expect("valid");
    let long = "word ".repeat(500);
    let texts = (0..).map(|at| if at == 25 { long.as_str() } else { "short" });
    let mut stream = encoder.stream_documents(texts).with_read_ahead(10);
    for _ in 0..20 {
        stream.next().expect("more to come").expect("it encodes");
    }
    let error = stream.next().expect("a failure").expect_err("too long");
    assert_eq!(error.code(), "text_too_long");
    assert!(error.to_string().contains("text 25"), "{error}");
    assert!(stream.next().is_none());
}

#[test]
fn progress_counts_every_text() {
    let mut options = EncodeOptions::default();
    options.batch_limit = BatchLimit::Texts(4);
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let listener = Arc::clone(&seen);
    let control = Control::new().with_progress(move |progress| {
        listener.lock().expect("nobody panics").push(progress);
    });
    for sessions in [1, 3] {
        let encoder = EncoderBuilder::from_bytes(bytes(&TINY_BERT, Precision::Fp32))
            .with_encode_options(options.clone())
            .with_threads(1)
            .with_sessions(sessions)
            .build()
            .expect("the model loads")
            .with_control(control.clone());
        let all: Vec<String> = texts(30).collect();
        encoder.encode_documents(&all).expect("texts encode");
        let mut done = take(&seen);
        done.sort_unstable_by_key(|progress| progress.done);
        assert!(done.len() >= 8, "{done:?}");
        assert!(done.windows(2).all(|pair| pair[0].done < pair[1].done));
        assert!(done.iter().all(|progress| progress.total == Some(30)));
        assert_eq!(done.last().map(|progress| progress.done), Some(30));

        let stream = encoder.stream_documents(&all).with_read_ahead(12);
        assert_eq!(stream.filter(Result::is_ok).count(), 30);
        let done = take(&seen);
        assert!(done.iter().all(|progress| progress.total.is_none()));
        assert_eq!(done.iter().map(|progress| progress.done).max(), Some(30));
    }
}

fn take(seen: &Mutex<Vec<Progress>>) -> Vec<Progress> {
    std::mem::take(&mut *seen.lock().expect("nobody panics"))
}

#[test]
fn a_call_is_cancelled_between_its_batches() {
    let mut options = EncodeOptions::default();
    options.batch_limit = BatchLimit::Texts(1);
    let cancellation = Cancellation::new();
    let switch = cancellation.clone();
    let control = Control::new()
        .with_cancellation(&cancellation)
        .with_progress(move |progress| {
            if progress.done >= 3 {
                switch.cancel();
            }
        });
    let plain = encoder().with_options(&options).expect("valid");
    let controlled = plain.with_control(control);
    let all: Vec<String> = texts(200).collect();
    match controlled.encode_documents(&all) {
        // Batches that ran at the same time as the third are finished.
        Err(Error::Cancelled { done, .. }) => assert!((3..100).contains(&done), "{done}"),
        other => panic!("expected a cancellation, found {other:?}"),
    }
    assert!(cancellation.is_cancelled());
    // From then on it ends every call, but none of another encoder.
    let error = controlled.encode_query("text").expect_err("cancelled");
    assert_eq!(error.code(), "cancelled");
    plain.encode_query("text").expect("it encodes");
}

#[test]
fn a_job_is_cancelled_before_its_first_batch() {
    let cancellation = Cancellation::new();
    let control = Control::new().with_cancellation(&cancellation);
    let mut job = encoder()
        .with_control(control)
        .start(&["one", "two"], TextKind::Document)
        .expect("texts tokenize");
    cancellation.cancel();
    let error = job.run_next().expect_err("cancelled");
    assert!(matches!(error, Error::Cancelled { done: 0, .. }), "{error}");
}

#[test]
fn a_stream_is_cancelled() {
    let cancellation = Cancellation::new();
    let control = Control::new().with_cancellation(&cancellation);
    let encoder = encoder().with_control(control);
    let mut stream = encoder.stream_documents(texts(1000)).with_read_ahead(10);
    for _ in 0..20 {
        stream.next().expect("more to come").expect("it encodes");
    }
    cancellation.cancel();
    let error = stream.next().expect("a failure").expect_err("cancelled");
    assert!(
        matches!(error, Error::Cancelled { done: 20, .. }),
        "{error}"
    );
    assert!(stream.next().is_none());
}

#[test]
fn deadlines_end_calls_and_streams() {
    let past = Instant::now();
    let controlled = encoder().with_control(Control::new().with_deadline(past));
    let error = controlled.encode_query("text").expect_err("it is late");
    assert!(
        matches!(error, Error::DeadlineExceeded { done: 0, .. }),
        "{error}"
    );

    let soon = Instant::now() + Duration::from_millis(300);
    let controlled = encoder().with_control(Control::new().with_deadline(soon));
    let endless = controlled
        .stream_documents(std::iter::repeat("a text"))
        .with_read_ahead(8);
    let error = endless.filter_map(Result::err).next().expect("it ends");
    assert_eq!(error.code(), "deadline_exceeded");

    let later = Instant::now() + Duration::from_secs(3600);
    let controlled = encoder().with_control(Control::new().with_deadline(later));
    controlled.encode_query("text").expect("there is time");
}
