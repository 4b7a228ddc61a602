//! How many files may be open at once: each connection of a user is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as the system lets us. Many systems begin with 1,024, for programs of forty years ago;
/// what is beyond the limit that stays fails as an error to connect.
pub fn allow_many() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without the permission the limit stays what it is.
    let _ = setrlimit(Resource::Nofile, limit);
}
