//! A server on loopback that behaves as a hub does: small files come from it,
//! large ones from another origin, by redirects.

mod http;
mod repository;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::{Reply, Request};
pub use repository::{Repository, sha256};

/// Which of the two origins was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Hub,
    /// Where large files are.
    Storage,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub origin: Origin,
    /// Method and target, such as `GET /org/name/resolve/main/config.json`.
    pub line: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
}

/// An answer in place of the ordinary one.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A status, with headers.
    Status(u16, Vec<(&'static str, String)>),
    /// So many bytes of the body, then the end of the connection.
    Break(usize),
    /// The whole body, with the first byte changed.
    Corrupt,
    /// The whole file, whatever range was asked for.
    NoRange,
    /// The ordinary answer, this much later.
    Late(Duration),
}

struct Planned {
    /// A part of the line of the request.
    pattern: String,
    fault: Fault,
}

#[derive(Default)]
struct State {
    repositories: Vec<Repository>,
    planned: Vec<Planned>,
    seen: Vec<Seen>,
    /// The address of the storage.
    storage: String,
}

/// A hub that runs until it is dropped.
pub struct Hub {
    endpoint: String,
    state: Arc<Mutex<State>>,
    servers: Vec<Server>,
}

impl Hub {
    pub fn start(repositories: impl IntoIterator<Item = Repository>) -> Self {
        let state = Arc::new(Mutex::new(State {
            repositories: repositories.into_iter().collect(),
            ..State::default()
        }));
        let storage = Server::start(Origin::Storage, &state);
        locked(&state).storage = format!("http://{}", storage.address);
        let hub = Server::start(Origin::Hub, &state);
        Self {
            endpoint: format!("http://{}", hub.address),
            state,
            servers: vec![hub, storage],
        }
    }

    /// The hub's address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next request whose line contains `pattern` gets this answer; several
    /// faults for one pattern come one after the other.
    pub fn plan(&self, pattern: &str, fault: Fault) {
        let pattern = pattern.to_owned();
        self.state().planned.push(Planned { pattern, fault });
    }

    /// All requests since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// Replaces a repository, or adds one.
    pub fn put(&self, repository: Repository) {
        let mut state = self.state();
        state.repositories.retain(|old| old.name != repository.name);
        state.repositories.push(repository);
    }

    /// Ends the server; its address refuses connections from then on.
    pub fn stop(mut self) -> String {
        self.servers.clear();
        self.endpoint.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The answer to a request, and what is wrong with it.
    fn answer(&mut self, origin: Origin, request: &Request) -> (Reply, Option<Fault>) {
        let line = request.line();
        self.seen.push(Seen {
            origin,
            line: line.clone(),
            authorization: request.header("authorization"),
            range: request.header("range"),
        });
        let found = self
            .planned
            .iter()
            .position(|planned| line.contains(&planned.pattern));
        let fault = found.map(|at| self.planned.remove(at).fault);
        let reply = match origin {
            Origin::Hub => self.of_hub(request),
            Origin::Storage => self.of_storage(request, fault.as_ref()),
        };
        (reply, fault)
    }

    fn of_hub(&self, request: &Request) -> Reply {
        let unknown = |code| Reply::status(404).with("X-Error-Code", code);
        let found = self
            .repositories
            .iter()
            .find_map(|repository| Some((repository, repository.asked_for(&request.target)?)));
        let Some((repository, asked)) = found else {
            // A hub does not tell what is missing from what is private.
            return match request.header("authorization") {
                None => Reply::status(401).with("X-Error-Code", "RepoNotFound"),
                Some(_) => unknown("RepoNotFound"),
            };
        };
        let expected = repository.token.map(|token| format!("Bearer {token}"));
        if expected.is_some() && request.header("authorization") != expected {
            return Reply::status(if request.header("authorization").is_some() {
                403
            } else {
                401
            })
            .with("X-Error-Code", "GatedRepo")
            .with("X-Error-Message", "Access to this model is restricted.");
        }
        let Some(commit) = repository.commit(&asked.revision) else {
            return unknown("RevisionNotFound");
        };
        let Some(path) = asked.path else {
            return Reply::body(commit.listing(repository.name).into_bytes());
        };
        let Some(content) = commit.files.get(&path) else {
            return unknown("EntryNotFound");
        };
        let reply = if repository::is_large(&path) {
            let etag = repository::sha256(content);
            // What is behind the question mark is a secret.
            Reply::status(302)
                .with(
                    "Location",
                    &format!("{}/{etag}?Signature=secret", self.storage),
                )
                .with("X-Linked-Size", &content.len().to_string())
                .with("X-Linked-Etag", &format!("\"{etag}\""))
        } else {
            Reply::body(content.clone()).with("ETag", &format!("\"{}\"", repository::git(content)))
        };
        reply.with("X-Repo-Commit", &commit.hash)
    }

    fn of_storage(&self, request: &Request, fault: Option<&Fault>) -> Reply {
        if request.header("authorization").is_some()
            || !request.target.ends_with("?Signature=secret")
        {
            return Reply::status(400);
        }
        let name = request
            .target
            .trim_start_matches('/')
            .split('?')
            .next()
            .unwrap_or_default();
        let commits = self
            .repositories
            .iter()
            .flat_map(|repository| &repository.commits);
        let mut files = commits.flat_map(|commit| commit.files.values());
        let Some(content) = files.find(|content| repository::sha256(content) == name) else {
            return Reply::status(404);
        };
        let range = request
            .header("range")
            .filter(|_| !matches!(fault, Some(Fault::NoRange)));
        let Some(range) = range else {
            return Reply::body(content.clone());
        };
        let start = range
            .strip_prefix("bytes=")
            .and_then(|range| range.strip_suffix('-'));
        let start: usize = start
            .and_then(|start| start.parse().ok())
            .expect("an open range");
        match content.get(start..) {
            Some([]) | None => Reply::status(416),
            Some(rest) => {
                let size = content.len();
                let range = format!("bytes {start}-{}/{size}", size - 1);
                Reply {
                    status: 206,
                    ..Reply::body(rest.to_vec())
                }
                .with("Content-Range", &range)
            }
        }
    }
}

/// One origin.
struct Server {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(origin: Origin, state: &Arc<Mutex<State>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let is_over = Arc::new(AtomicBool::new(false));
        let (state, ends) = (Arc::clone(state), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, state) = (stream.expect("a connection"), Arc::clone(&state));
                // Clients may go at any time.
                thread::spawn(move || drop(serve(origin, &state, stream)));
            }
        });
        Self {
            address,
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes it up.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(origin: Origin, state: &Mutex<State>, mut stream: TcpStream) -> io::Result<()> {
    let Some(request) = Request::read(&mut stream)? else {
        return Ok(());
    };
    let (mut reply, fault) = locked(state).answer(origin, &request);
    let mut end = reply.body.len();
    match fault {
        Some(Fault::Status(status, headers)) => {
            reply = Reply::status(status);
            for (name, value) in headers {
                reply = reply.with(name, &value);
            }
            end = 0;
        }
        Some(Fault::Break(bytes)) => end = end.min(bytes),
        Some(Fault::Corrupt) => reply.body.iter_mut().take(1).for_each(|byte| *byte ^= 1),
        Some(Fault::Late(time)) => thread::sleep(time),
        Some(Fault::NoRange) | None => {}
    }
    reply.write(&mut stream, &request, end)
}
