//! Files that appear under their names when they are whole.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// A file beside `path` that disappears unless it is given its name, readable
/// as any other that the user makes.
///
/// # Errors
/// Those of the system.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".multivec-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
