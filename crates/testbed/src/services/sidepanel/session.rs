//! A session: what was said in it, on which branch, about which files.
//!
//! Invariant: everything in it is bounded; the oldest messages go when there is no room.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    /// Counts up with each change.
    pub(super) revision: u64,
    /// What can still be spent.
    pub(super) credits: u64,
    /// What was spent.
    pub(super) spent: u64,
    branch: String,
    branches: BTreeMap<String, Messages>,
    snapshots: BTreeMap<u64, (String, Messages)>,
    files: BTreeMap<String, String>,
    context: Vec<String>,
    last_message: u64,
    last_snapshot: u64,
}

/// What was said, oldest first.
type Messages = VecDeque<Arc<str>>;

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full(pub(super) &'static str);

impl Default for Session {
    fn default() -> Self {
        let main = "main".to_owned();
        Self {
            revision: 0,
            credits: CREDITS,
            spent: 0,
            branches: BTreeMap::from([(main.clone(), Messages::default())]),
            branch: main,
            snapshots: BTreeMap::new(),
            files: BTreeMap::new(),
            context: Vec::new(),
            last_message: 0,
            last_snapshot: 0,
        }
    }
}

impl Session {
    /// Adds a message to the branch and pays for it; answers its number and what it cost.
    pub(super) fn say(&mut self, content: &str) -> Result<(u64, u64), Full> {
        let cost = 1 + content.len() as u64 / BYTES_PER_CREDIT;
        self.credits = self
            .credits
            .checked_sub(cost)
            .ok_or(Full("the balance is spent"))?;
        self.spent += cost;
        self.last_message += 1;
        self.revision += 1;
        let messages = self.branches.entry(self.branch.clone()).or_default();
        if messages.len() >= MESSAGES_MAX {
            messages.pop_front();
        }
        messages.push_back(content.into());
        Ok((self.last_message, cost))
    }

    /// Adds a file or replaces it.
    pub(super) fn add_file(&mut self, path: &str, content: &str) -> Result<usize, Full> {
        if self.files.len() >= FILES_MAX && !self.files.contains_key(path) {
            return Err(Full("no more files can be added"));
        }
        self.files.insert(path.to_owned(), content.to_owned());
        self.revision += 1;
        Ok(self.files.len())
    }

    /// The content of a file.
    pub(super) fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The paths of the files in which a text occurs.
    pub(super) fn search(&self, text: &str) -> Vec<&str> {
        let has = |(_, content): &(&String, &String)| content.contains(text);
        let found = self.files.iter().filter(has);
        found.map(|(path, _)| path.as_str()).collect()
    }

    /// Which files the next messages are about.
    pub(super) fn set_context(&mut self, paths: Vec<String>) -> Result<usize, Full> {
        if paths.len() > FILES_MAX {
            return Err(Full("too many files"));
        }
        self.context = paths;
        self.revision += 1;
        Ok(self.context.len())
    }

    /// Keeps the branch as it is; answers the number of the snapshot and of its messages.
    pub(super) fn snapshot(&mut self) -> (u64, usize) {
        if self.snapshots.len() >= SNAPSHOTS_MAX {
            self.snapshots.pop_first();
        }
        self.last_snapshot += 1;
        self.revision += 1;
        let messages = self.messages().clone();
        let count = messages.len();
        self.snapshots
            .insert(self.last_snapshot, (self.branch.clone(), messages));
        (self.last_snapshot, count)
    }

    /// Puts a branch back to how it was; answers how many messages it has then.
    pub(super) fn restore(&mut self, snapshot: u64) -> Option<usize> {
        let (branch, messages) = self.snapshots.get(&snapshot)?.clone();
        let count = messages.len();
        self.branches.insert(branch.clone(), messages);
        self.branch = branch;
        self.revision += 1;
        Some(count)
    }

    /// Goes on in a new branch with what was said until now.
    pub(super) fn fork(&mut self, name: &str) -> Result<usize, Full> {
        if self.branches.contains_key(name) {
            return Err(Full("there is a branch of this name"));
        }
        if self.branches.len() >= BRANCHES_MAX {
            let oldest = self
                .branches
                .keys()
                .find(|known| **known != self.branch)
                .cloned();
            oldest.map(|oldest| self.branches.remove(&oldest));
        }
        let messages = self.messages().clone();
        self.branches.insert(name.to_owned(), messages);
        name.clone_into(&mut self.branch);
        self.revision += 1;
        Ok(self.branches.len())
    }

    /// The name of the branch that goes on.
    pub(super) fn branch(&self) -> &str {
        &self.branch
    }

    /// How many messages the branch has, and how many files there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.messages().len(), self.files.len())
    }

    /// How many bytes of content it keeps; what branches and snapshots share counts for each.
    pub(super) fn bytes(&self) -> usize {
        let snapshots = self.snapshots.values().map(|(_, messages)| messages);
        let messages = self.branches.values().chain(snapshots).flatten();
        let said: usize = messages.map(|message| message.len()).sum();
        said + self.files.values().map(String::len).sum::<usize>()
    }

    fn messages(&self) -> &Messages {
        static NONE: Messages = Messages::new();
        self.branches.get(&self.branch).unwrap_or(&NONE)
    }
}

/// What a session can spend.
const CREDITS: u64 = 1_000_000_000;

/// How many bytes of a message cost a credit.
const BYTES_PER_CREDIT: u64 = 100;

const MESSAGES_MAX: usize = 500;
const FILES_MAX: usize = 256;
const SNAPSHOTS_MAX: usize = 16;
const BRANCHES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_brings_back_what_was_said_on_its_branch() {
        let mut session = Session::default();
        assert_eq!(session.say("one"), Ok((1, 1)));
        assert_eq!(session.fork("try"), Ok(2));
        session.say("two").unwrap();
        let (snapshot, count) = session.snapshot();
        assert_eq!((snapshot, count), (1, 2));
        session.say(&"x".repeat(250)).unwrap();
        assert_eq!((session.counts().0, session.spent), (3, 5));
        assert_eq!(session.restore(snapshot), Some(2));
        assert_eq!((session.branch(), session.counts().0), ("try", 2));
        assert_eq!(session.restore(9), None);
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut session = Session::default();
        for number in 0..2_000 {
            session.say("0123456789").unwrap();
            session.snapshot();
            session.fork(&number.to_string()).unwrap();
            let _ = session.add_file(&number.to_string(), "x");
        }
        assert_eq!(session.counts(), (MESSAGES_MAX, FILES_MAX));
        assert!(session.bytes() <= (BRANCHES_MAX + SNAPSHOTS_MAX) * MESSAGES_MAX * 10 + FILES_MAX);
    }
}
