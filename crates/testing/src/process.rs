//! Memory of a process, as Linux reports it.

/// Resident memory of a process in bytes; 0 if it has ended.
pub fn resident(process: u32) -> usize {
    read(process, "VmRSS:")
}

/// Its peak so far.
pub fn largest(process: u32) -> usize {
    read(process, "VmHWM:")
}

fn read(process: u32, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0usize) * 1024
}
