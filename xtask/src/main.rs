//! Set-up, checks, demo and releases of the repository, see
//! `CONTRIBUTING.md`; the workflows of `.github` call nothing else.

mod bench;
mod browser;
mod command;
mod debian;
mod demo;
mod licenses;
mod manifest;
mod nightly;
mod package;
mod platforms;
mod python;
mod release;
mod setup;
mod test;
mod tools;

use std::process::ExitCode;

use command::Result;

struct Task {
    name: &'static str,
    /// Given what follows on the command line.
    run: fn(&[String]) -> Result,
    about: &'static str,
}

const TASKS: &[Task] = &[
    Task {
        name: "demo",
        run: |_| demo::run(),
        about: "a search with the demo model",
    },
    Task {
        name: "setup",
        run: |_| setup::run(),
        about: "gets what the other tasks need",
    },
    Task {
        name: "test",
        run: |_| test::run(),
        about: "every check",
    },
    Task {
        name: "test-crates",
        run: |_| test::crates(),
        about: "the checks of the crates alone",
    },
    Task {
        name: "test-web",
        run: |_| test::npm(),
        about: "the checks of the npm package alone",
    },
    Task {
        name: "test-python",
        run: |_| python::test()?.finish(),
        about: "the checks of the Python package alone",
    },
    Task {
        name: "wheel",
        run: |_| python::wheel(),
        about: "the Python package that is published, for this platform",
    },
    Task {
        name: "test-provider",
        run: test::provider,
        about: "PROVIDER: parity on this machine's hardware",
    },
    Task {
        name: "test-platforms",
        run: platforms::run,
        about: "[arm | macos | windows]: other platforms, emulated",
    },
    Task {
        name: "test-nightly",
        run: nightly::run,
        about: "[fuzz [SECONDS] | miri | memory | runtimes | kernels | python | models | matrix]: what takes long",
    },
    Task {
        name: "bench",
        run: bench::run,
        about: "benches, and their tables",
    },
    Task {
        name: "bench-model",
        run: |rest| bench::model(rest.first().cloned()),
        about: "[NAME | int8 | fp32 | all-minilm-l6-v2]: writes a model of the benches",
    },
    Task {
        name: "package",
        run: package::task,
        about: "[check]: builds and uses the packages of the crates",
    },
    Task {
        name: "licenses",
        run: |_| licenses::deny(),
        about: "licences, advisories, duplicates",
    },
    Task {
        name: "notices",
        run: licenses::notices,
        about: "npm | cli FILE: third-party notices",
    },
    Task {
        name: "msrv",
        run: |_| release::msrv(),
        about: "builds with the oldest supported Rust",
    },
    Task {
        name: "semver",
        run: |_| release::semver(),
        about: "whether the version says what changed",
    },
    Task {
        name: "release-checks",
        run: |_| release::checks(),
        about: "what a release is held to",
    },
    Task {
        name: "dist",
        run: |_| release::dist(),
        about: "the command line for this machine, packed",
    },
    Task {
        name: "publish",
        run: release::publish,
        about: "crates | npm [--dry-run]: uploads them",
    },
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let done = match TASKS.iter().find(|task| task.name == name) {
        Some(task) => (task.run)(&rest),
        None => Err(usage(&name)),
    };
    command::print_times();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(found: &str) -> String {
    let mut text = format!("expected a task, found `{found}`\n");
    for task in TASKS {
        text += &format!("  cargo xtask {:<15} {}\n", task.name, task.about);
    }
    text
}
