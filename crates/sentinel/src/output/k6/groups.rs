//! The checks of a run as k6's tree of groups.

use md5::{Digest as _, Md5};
use sentinel_engine::summary::{CheckResult, TestRunResult};

/// A group with its checks.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) path: String,
    pub(super) groups: Vec<Self>,
    pub(super) checks: Vec<Check<'a>>,
}

/// A check of a group.
pub(super) struct Check<'a> {
    pub(super) result: &'a CheckResult,
    pub(super) path: String,
}

/// The group that holds all others: the applications in it, and the steps in these, as far as they have checks.
pub(super) fn root(result: &TestRunResult) -> Group<'_> {
    let mut root = Group::new("", String::new());
    for check in &result.checks {
        let step = root.group(&check.application).group(&check.step);
        let path = format!("{}::{}", step.path, check.check);
        step.checks.push(Check {
            result: check,
            path,
        });
    }
    root
}

/// k6's identifier of what has this path.
pub(super) fn id(path: &str) -> String {
    let digest: [u8; 16] = Md5::digest(path).into();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Group<'a> {
    const fn new(name: &'a str, path: String) -> Self {
        Self {
            name,
            path,
            groups: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn group(&mut self, name: &'a str) -> &mut Self {
        let known = self.groups.iter().position(|group| group.name == name);
        let at = known.unwrap_or_else(|| {
            let path = format!("{}::{name}", self.path);
            self.groups.push(Group::new(name, path));
            self.groups.len() - 1
        });
        &mut self.groups[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_those_of_k6() {
        // Of the root group, as in every summary that k6 writes.
        assert_eq!(id(""), "d41d8cd98f00b204e9800998ecf8427e");
    }
}
