//! Requests: redirects, credentials, patience.

use std::io;
use std::thread;
use std::time::Duration;

use multivec_core::{Error, Result};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::address::{origin, redirected, shown};
use super::options::HubEvent;
use super::refusal::{Credentials, Refusal};
use super::settings::Settings;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// The longest silence within a body.
const SILENCE: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;
/// Requests after the first, where the answer says that a later one may succeed.
const RETRIES: u32 = 3;
/// Doubled from one to the next.
const DELAY: Duration = Duration::from_millis(300);
/// The longest wait that a hub is granted: its limits are of five minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection, no answer in time, or status 5xx.
    Unreachable(Error),
    Refused(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(error) | Failure::Refused(error) => error,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Redirects are followed within the hub: what it says itself about a file
    /// is what is asked for.
    Head,
    Get,
}

pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) address: &'a str,
    /// What is asked for, for messages.
    pub(super) what: &'a str,
    /// The first byte that is asked for.
    pub(super) from: u64,
}

/// Why a request failed, and whether it may be repeated.
struct Problem {
    failure: Failure,
    /// The reason, and how long to wait if the answer says so.
    retry: Option<Retry>,
}

struct Retry {
    reason: String,
    delay: Option<Duration>,
}

pub(super) struct Client {
    agent: Agent,
    settings: Settings,
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let version = env!("CARGO_PKG_VERSION");
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, since credentials depend on where they lead.
            .max_redirects(0)
            .user_agent(format!("multivec/{version}"))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE));
        if let Some(path) = &settings.certificates {
            let failed = |source| Error::io(path.display(), "reading certificates", source);
            let pem = std::fs::read(path).map_err(failed)?;
            let roots: Result<Vec<_>, ureq::Error> = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect();
            let roots = roots.map_err(|error| failed(error.into_io()))?;
            let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots));
            config = config.tls_config(tls.build());
        }
        Ok(Self {
            agent: config.build().new_agent(),
            settings: settings.clone(),
        })
    }

    /// Sends a request until it succeeds, or it is clear that it will not.
    pub(super) fn send(&self, request: &Request<'_>) -> Result<Response<Body>, Failure> {
        let mut retries = 0;
        loop {
            let Problem { failure, retry } = match self.follow(request) {
                Ok(response) => return Ok(response),
                Err(problem) => *problem,
            };
            let Some(Retry { reason, delay }) = retry.filter(|_| retries < RETRIES) else {
                return Err(failure);
            };
            let delay = delay.unwrap_or(DELAY * 2u32.pow(retries));
            if delay > LONGEST_WAIT {
                return Err(failure);
            }
            let reason = &reason;
            self.settings.report(&HubEvent::Waiting { reason, delay });
            thread::sleep(delay);
            retries += 1;
        }
    }

    /// Sends a request, and those that it is redirected to.
    fn follow(&self, request: &Request<'_>) -> Result<Response<Body>, Box<Problem>> {
        let mut address = request.address.to_owned();
        for _ in 0..=REDIRECTS {
            let is_own = |address: &str| origin(address) == origin(&self.settings.endpoint);
            let token = self.settings.token.as_ref().filter(|_| is_own(&address));
            let mut call = match request.method {
                Method::Head => self.agent.head(&address),
                Method::Get => self.agent.get(&address),
            };
            // Sizes are those of the files.
            call = call.header(header::ACCEPT_ENCODING, "identity");
            if let Some(token) = token {
                call = call.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            if request.from > 0 {
                call = call.header(header::RANGE, format!("bytes={}-", request.from));
            }
            let response = call
                .call()
                .map_err(|error| transport(error, &address, request.what))?;
            let status = response.status();
            if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(response);
            }
            if !status.is_redirection() {
                let sent = token.map_or(Credentials::None, |_| Credentials::Token);
                return Err(refused(Refusal {
                    status,
                    headers: response.headers(),
                    address: &address,
                    what: request.what,
                    sent,
                }));
            }
            let location = text(response.headers(), "location").unwrap_or_default();
            let Some(next) = redirected(&address, location) else {
                let found = format!("a redirect to `{}`", shown(location));
                return Err(fatal(Error::hub(shown(&address), request.what, found)));
            };
            if request.method == Method::Head && !is_own(&next) {
                return Ok(response);
            }
            address = next;
        }
        let found = "a chain of redirects without an end";
        Err(fatal(Error::hub(
            shown(request.address),
            request.what,
            found,
        )))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// A header in plain text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn fatal(error: Error) -> Box<Problem> {
    Box::new(Problem {
        failure: Failure::Refused(error),
        retry: None,
    })
}

fn refused(refusal: Refusal<'_>) -> Box<Problem> {
    let status = refusal.status;
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS;
    let is_down = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
    let delay = is_limited.then(|| patience(refusal.headers)).flatten();
    let retry = (is_limited || is_down).then(|| Retry {
        reason: format!("status {}", status.as_u16()),
        delay,
    });
    let error = refusal.into_error();
    Box::new(Problem {
        failure: if is_down {
            Failure::Unreachable(error)
        } else {
            Failure::Refused(error)
        },
        retry,
    })
}

/// How long a hub asks to wait: `Retry-After` in seconds, or the `t` of
/// `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
fn patience(headers: &HeaderMap) -> Option<Duration> {
    let after = || text(headers, "retry-after")?.trim().parse().ok();
    let limit = || {
        let parts = text(headers, "ratelimit")?.split(';');
        parts
            .filter_map(|part| part.trim().strip_prefix("t=")?.parse().ok())
            .next()
    };
    after().or_else(limit).map(Duration::from_secs)
}

fn transport(error: ureq::Error, address: &str, what: &str) -> Box<Problem> {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, UnexpectedEof,
    };

    let reason = error.to_string();
    let (is_unreachable, is_broken) = match &error {
        ureq::Error::Io(error) => match error.kind() {
            // What rustls says of a certificate that it does not trust.
            InvalidData => (false, false),
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => (true, true),
            _ => (true, false),
        },
        ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_) => (true, false),
        _ => (false, false),
    };
    let error = Error::hub(shown(address), what, format_args!("no answer: {reason}"));
    Box::new(Problem {
        failure: if is_unreachable {
            Failure::Unreachable(error)
        } else {
            Failure::Refused(error)
        },
        retry: is_broken.then_some(Retry {
            reason,
            delay: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_unreachable(error: ureq::Error) -> bool {
        let problem = transport(error, "https://hub/a", "a file");
        matches!(problem.failure, Failure::Unreachable(_))
    }

    #[test]
    fn hubs_that_are_down_are_told_from_those_that_refuse() {
        let io = |kind: io::ErrorKind| ureq::Error::Io(kind.into());
        assert!(is_unreachable(ureq::Error::Timeout(ureq::Timeout::Connect)));
        assert!(is_unreachable(ureq::Error::HostNotFound));
        assert!(is_unreachable(io(io::ErrorKind::ConnectionRefused)));
        assert!(is_unreachable(io(io::ErrorKind::NetworkUnreachable)));
        // Certificates that are not trusted.
        assert!(!is_unreachable(io(io::ErrorKind::InvalidData)));
        assert!(!is_unreachable(ureq::Error::BadUri(String::new())));
    }

    #[test]
    fn waits_are_read() {
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().ok()?);
            patience(&headers)
        };
        assert_eq!(wait("retry-after", " 7 "), Some(Duration::from_secs(7)));
        let limit = "\"api\";r=0;t=55";
        assert_eq!(wait("ratelimit", limit), Some(Duration::from_secs(55)));
        for other in ["", "-1", "soon", "99999999999999999999999"] {
            assert_eq!(wait("retry-after", other), None, "{other}");
        }
    }
}
