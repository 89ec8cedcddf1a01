//! What requests ask for, and answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use multivec::{Cancellation, Control, Error};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::collection::Collection;
use crate::http::{Answer, Request};

const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Requests that may occupy a blocking thread; others wait without one.
const MOST_AT_ONCE: usize = 16;
/// Documents of an answer, unless `top` says otherwise.
const TOP: usize = 10;

pub(crate) struct Server {
    collection: Collection,
    permits: Semaphore,
}

/// Stops the work of a task that is dropped while it waits.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A request that was understood.
enum Call {
    Models,
    Add(Vec<String>),
    Search {
        query: String,
        top: usize,
    },
    Rerank {
        query: String,
        documents: Vec<String>,
    },
}

impl Server {
    pub(crate) fn new(collection: Collection) -> Self {
        Self {
            collection,
            permits: Semaphore::new(MOST_AT_ONCE),
        }
    }

    /// Runs a request on a thread that may block.
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Answer {
        let call = match Call::read(&request) {
            Ok(call) => call,
            Err(refused) => return refused,
        };
        let Ok(_permit) = self.permits.acquire().await else {
            return Answer::failed(503, "closed", "the server ends");
        };
        let guard = CancelOnDrop(Cancellation::new());
        let control = Control::new().with_cancellation(&guard.0);
        let control = control.with_deadline(Instant::now() + TIME_LIMIT);
        let server = self.clone();
        match spawn_blocking(move || server.run(call, &control)).await {
            Ok(Ok(value)) => Answer::new(200, value),
            Ok(Err(error)) => Answer::failed(status(&error), error.code(), &error.to_string()),
            Err(error) => Answer::failed(500, "panicked", &error.to_string()),
        }
    }

    fn run(&self, call: Call, control: &Control) -> multivec::Result<Value> {
        let collection = &self.collection;
        Ok(match call {
            Call::Models => json!({ "models": collection.models() }),
            Call::Add(texts) => json!({ "documents": collection.add(texts, control)? }),
            Call::Search { query, top } => {
                let found = collection.search(&query, top, control)?;
                let line = |one: &crate::collection::Found| json!({ "index": one.index, "text": one.text, "score": one.score });
                json!({ "documents": found.iter().map(line).collect::<Vec<_>>() })
            }
            Call::Rerank { query, documents } => {
                let found = collection.rerank(&query, &documents, control)?;
                let line = |one: &multivec::RankedDocument| json!({ "index": one.index, "score": one.score, "logit": one.logit });
                json!({ "documents": found.iter().map(line).collect::<Vec<_>>() })
            }
        })
    }
}

/// The status of an error of the library.
fn status(error: &Error) -> u16 {
    match error {
        Error::Cancelled { .. } | Error::DeadlineExceeded { .. } => 503,
        Error::InvalidOption { .. } | Error::TextTooLong { .. } | Error::ModelMismatch { .. } => {
            400
        }
        _ => 500,
    }
}

impl Call {
    fn read(request: &Request) -> Result<Self, Answer> {
        let (method, path) = (request.method.as_str(), request.path.as_str());
        let expected = match path {
            "/models" => "GET",
            "/documents" | "/search" | "/rerank" => "POST",
            _ => {
                let paths = "expected /models, /documents, /search or /rerank";
                return Err(Answer::failed(
                    404,
                    "not_found",
                    &format!("{paths}, found {path}"),
                ));
            }
        };
        if method != expected {
            let message = format!("{path}: expected {expected}, found {method}");
            return Err(Answer::failed(405, "method", &message));
        }
        if path == "/models" {
            return Ok(Self::Models);
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| refused(&format!("the body: expected JSON: {error}")))?;
        Ok(match path {
            "/documents" => Self::Add(strings(&body, "texts")?),
            "/search" => Self::Search {
                query: string(&body, "query")?,
                top: count(&body, "top")?.unwrap_or(TOP),
            },
            _ => Self::Rerank {
                query: string(&body, "query")?,
                documents: strings(&body, "documents")?,
            },
        })
    }
}

fn refused(message: &str) -> Answer {
    Answer::failed(400, "invalid_request", message)
}

fn string(body: &Value, key: &str) -> Result<String, Answer> {
    let found = &body[key];
    let text = found.as_str().map(str::to_owned);
    text.ok_or_else(|| refused(&format!("{key}: expected a string, found {found}")))
}

fn strings(body: &Value, key: &str) -> Result<Vec<String>, Answer> {
    let found = &body[key];
    let each = |text: &Value| text.as_str().map(str::to_owned);
    let texts = found
        .as_array()
        .and_then(|all| all.iter().map(each).collect());
    texts.ok_or_else(|| {
        refused(&format!(
            "{key}: expected an array of strings, found {found}"
        ))
    })
}

fn count(body: &Value, key: &str) -> Result<Option<usize>, Answer> {
    let found = &body[key];
    if found.is_null() {
        return Ok(None);
    }
    let count = found.as_u64().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or_else(|| refused(&format!("{key}: expected a number, found {found}")));
    count.map(Some)
}
