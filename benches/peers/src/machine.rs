//! What a result was measured on.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use multivec::OnnxRuntime;
use multivec_peers_protocol::Result;

use crate::encoders::cores;
use crate::results::Machine;

/// Extensions that decide which kernels of INT8 run.
const EXTENSIONS: [(&str, &str); 5] = [
    ("avx2", "AVX2"),
    ("avx512f", "AVX-512"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx_vnni", "AVX-VNNI"),
    ("asimddp", "NEON dot product"),
];

pub const PEERS: &str = "peers";
pub const PEERS_WITHOUT_VNNI: &str = "peers-without-vnni";

/// An ONNX Runtime library.
pub struct Library {
    pub path: PathBuf,
    pub version: String,
}

/// The library that multivec takes, and that all encoders are told to take.
pub fn library() -> Result<Library> {
    let mut tried = Vec::new();
    for candidate in OnnxRuntime::candidates(None) {
        match candidate.outcome {
            Ok(version) => {
                let path = candidate.path;
                return Ok(Library { path, version });
            }
            Err(reason) => tried.push(format!("{}: {reason}", candidate.path.display())),
        }
    }
    Err(format!(
        "no ONNX Runtime library was found: {}",
        tried.join("; ")
    ))
}

/// The section of encoders side by side: one for x86 processors without VNNI, where
/// products of 8 bits take several instructions.
pub fn peers_section() -> &'static str {
    let extensions = extensions(&cpu_info());
    match cfg!(target_arch = "x86_64") && !extensions.iter().any(|name| name.contains("VNNI")) {
        true => PEERS_WITHOUT_VNNI,
        false => PEERS,
    }
}

/// To be called before anything is measured.
pub fn describe(rounds: Rounds) -> Result<Machine> {
    let others = busy(Duration::from_secs(2));
    let info = cpu_info();
    let extensions = extensions(&info);
    let name = field(&info, "model name").unwrap_or("an unknown CPU");
    Ok(Machine {
        date: date(),
        cpu: match extensions.is_empty() {
            true => name.to_owned(),
            false => format!("{name} ({})", extensions.join(", ")),
        },
        cores: cores(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        onnxruntime: library()?.version,
        others,
        quick: rounds == Rounds::Few,
    })
}

fn cpu_info() -> String {
    fs::read_to_string("/proc/cpuinfo").unwrap_or_default()
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = info.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn extensions(info: &str) -> Vec<&'static str> {
    let flags = field(info, "flags").or(field(info, "Features"));
    let flags: Vec<&str> = flags.unwrap_or_default().split(' ').collect();
    EXTENSIONS
        .iter()
        .filter(|(flag, _)| flags.contains(flag))
        .map(|&(_, name)| name)
        .collect()
}

/// The part of all cores that is busy while this process sleeps, 0 to 1, by
/// Linux's `/proc/stat`.
fn busy(span: Duration) -> Option<f64> {
    // All time of the cores, and that in which they had nothing to do.
    let times = || -> Option<(f64, f64)> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let numbers = text.lines().next()?.split_whitespace().skip(1);
        let all: Vec<f64> = numbers.map_while(|number| number.parse().ok()).collect();
        Some((all.iter().take(8).sum(), all.get(3)? + all.get(4)?))
    };
    let (all, idle) = times()?;
    std::thread::sleep(span);
    let (all_after, idle_after) = times()?;
    let part = 1. - (idle_after - idle) / (all_after - all);
    part.is_finite().then_some(part)
}

/// How often everything is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// To see that all of it works.
    Few,
    /// For numbers to be quoted.
    Many,
}

impl Rounds {
    /// Rounds, or documents of a round.
    pub fn count(self, many: usize) -> usize {
        match self {
            Self::Few => many.div_ceil(4),
            Self::Many => many,
        }
    }
}

/// Today in UTC, as year-month-day.
pub fn date() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH);
    let (year, month, day) = civil(seconds.map_or(0, |since| since.as_secs() as i64 / 86_400));
    format!("{year}-{month:02}-{day:02}")
}

/// Days since 1970-01-01 to year, month and day, by Hinnant's algorithm
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_819), (2027, 1, 1));
    }
}
