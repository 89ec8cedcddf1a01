//! Running of other programs.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map(PathBuf::from).unwrap_or(package)
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(named.unwrap_or_else(|| "target".into()))
}

/// A program that starts in the root.
pub(crate) fn program(name: &str) -> Command {
    // On Windows npm is a script that only its full name finds.
    let name = match name {
        "npm" if cfg!(windows) => "npm.cmd",
        other => other,
    };
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    program(&env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// The cargo of another toolchain, by rustup.
pub(crate) fn cargo_of(toolchain: &str) -> Command {
    let mut command = program("rustup");
    command.args(["run", toolchain, "cargo"]);
    // Both name the toolchain of this task.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Steps that ended, and how long each took.
static TIMES: Mutex<Vec<(String, Duration)>> = Mutex::new(Vec::new());

fn ended(what: &str, start: Instant) {
    let mut times = TIMES.lock().unwrap_or_else(|error| error.into_inner());
    times.push((what.to_owned(), start.elapsed()));
}

/// Lists the steps that ended with the seconds that each took, unless it is one alone.
pub(crate) fn print_times() {
    let times = TIMES.lock().unwrap_or_else(|error| error.into_inner());
    if times.len() > 1 {
        println!("==> seconds of each step");
        for (what, time) in times.iter() {
            println!("{:>6.0} {what}", time.as_secs_f64());
        }
    }
}

/// Says what is done and for how long, and fails if the program does.
pub(crate) fn step(what: &str, command: &mut Command) -> Result {
    println!("==> {what}");
    let start = Instant::now();
    let status = command.status().map_err(|error| {
        format!(
            "{what}: {:?} cannot be started: {error}",
            command.get_program()
        )
    })?;
    ended(what, start);
    if !status.success() {
        return Err(format!("{what}: {status}"));
    }
    println!("    {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// A program that runs beside the steps that follow.
pub(crate) struct Background {
    what: String,
    child: Child,
    log: PathBuf,
    start: Instant,
}

impl Background {
    /// Starts a program, whose output goes to a file of the target folder.
    pub(crate) fn start(what: &str, log: &str, command: &mut Command) -> Result<Self> {
        println!("==> {what}, beside what follows");
        let log = target().join(log);
        let failed = |error| format!("{}: {error}", log.display());
        fs::create_dir_all(target()).map_err(failed)?;
        let output = File::create(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let child = command
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{what}: cannot be started: {error}"))?;
        Ok(Self {
            what: what.to_owned(),
            child,
            log,
            start: Instant::now(),
        })
    }

    /// Waits for its end; prints its output, and fails, if it has failed.
    pub(crate) fn finish(mut self) -> Result {
        let failed = |error| format!("{}: {error}", self.what);
        let status = self.child.wait().map_err(failed)?;
        ended(&format!("{}, beside others", self.what), self.start);
        if !status.success() {
            let output = fs::read(&self.log).map_err(failed)?;
            println!("{}", String::from_utf8_lossy(&output));
            return Err(format!("{}: {status}", self.what));
        }
        println!("==> {}", self.what);
        println!(
            "    {:.0} s, beside others",
            self.start.elapsed().as_secs_f64()
        );
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Nothing to do where it has ended.
        drop(self.child.kill());
    }
}

/// What a program prints on stdout; its failure is an error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let failed = |reason: String| format!("{name:?}: {reason}");
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}: {}", output.status, message.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program answers.
pub(crate) fn answers(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(executable(name)))
        .find(|path| path.is_file())
}

pub(crate) fn executable(name: &str) -> String {
    format!("{name}{}", env::consts::EXE_SUFFIX)
}
