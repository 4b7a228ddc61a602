//! The stack that a test works with: shared with other tests or its own.
//!
//! Invariant: a test that holds a [`Lab`] is alone on its stack, and finds it without a running run and
//! without a fault.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use devstack::{DevStack, Options};
use serde_json::{Value, json};
use testbed::{Service, Testbed};

use super::{Api, Grove, Received, Reply, Summary, Target, until};

/// Signs what the coordinator sends to its batches: known, so that the tests can look for it and forge with it.
pub(crate) const BATCH_KEY: &str = "e2e-batch-key-0123456789abcdef0123456789abcdef";

/// An allowed host on which nobody listens: port 1 is reserved for a service of the eighties.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// A stack, and clients for it.
pub(crate) struct Lab {
    /// The load test API.
    pub(crate) api: Api,
    /// The target.
    pub(crate) grove: Grove,
    stack: Stack,
}

enum Stack {
    Shared(MutexGuard<'static, Allowing>),
    Own(Box<Allowing>),
}

/// A stack, and the one port besides Grove's to which its load may go.
struct Allowing {
    stack: DevStack,
    listener: TcpListener,
}

impl Lab {
    /// The stack that most tests take turns on. It is started once for the whole test program.
    pub(crate) fn shared() -> Self {
        static SHARED: OnceLock<Result<Mutex<Allowing>, String>> = OnceLock::new();
        // Never dropped; the stack's watchdog ends it, and removes its state, after the test program.
        let shared = SHARED.get_or_init(|| Allowing::start(options()).map(Mutex::new));
        let shared = shared.as_ref().unwrap_or_else(|error| panic!("{error}"));
        // A test that failed says nothing about the next one.
        let stack = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let lab = Self {
            api: Api::new(&stack.stack),
            grove: Grove::new(&stack.stack),
            stack: Stack::Shared(stack),
        };
        lab.tidy();
        lab
    }

    /// A stack of its own, for a test that kills it.
    pub(crate) fn own() -> Self {
        Self::own_with(|options| options)
    }

    /// A stack of its own that is configured in another way.
    pub(crate) fn own_with(configure: impl FnOnce(Options) -> Options) -> Self {
        let stack = Allowing::start(configure(options())).unwrap_or_else(|error| panic!("{error}"));
        Self {
            api: Api::new(&stack.stack),
            grove: Grove::new(&stack.stack),
            stack: Stack::Own(Box::new(stack)),
        }
    }

    /// A target of the test's own, to which load may go. One at a time.
    pub(crate) fn target(
        &self,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Target {
        let listener = self.listener();
        // A testbed on the same port may have left it otherwise.
        listener.set_nonblocking(false).expect("a socket");
        Target::on(listener, answer)
    }

    /// A testbed, to which load may go. One at a time, and no target beside it.
    pub(crate) fn testbed(&self) -> Testbed {
        Testbed::start(self.listener(), NonZeroUsize::MIN).expect("a testbed")
    }

    /// As [`Self::testbed`], with a platform of the suites.
    pub(crate) fn testbed_with(&self, service: Service) -> Testbed {
        Testbed::serve(self.listener(), NonZeroUsize::MIN, service).expect("a testbed")
    }

    fn listener(&self) -> TcpListener {
        let listener = match &self.stack {
            Stack::Shared(stack) => stack.listener.try_clone(),
            Stack::Own(stack) => stack.listener.try_clone(),
        };
        listener.expect("another handle")
    }

    /// The rows of a query on the load tester's D1 database.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Value> {
        self.d1_query(sql)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The only value of a query on the load tester's D1 database.
    pub(crate) fn value(&self, sql: &str) -> Value {
        let rows = self.rows(sql);
        let [Value::Object(row)] = rows.as_slice() else {
            panic!("{sql} has the rows {rows:?}");
        };
        let mut values = row.values();
        match (values.next(), values.next()) {
            (Some(value), None) => value.clone(),
            _ => panic!("{sql} has the row {row:?}"),
        }
    }

    /// The identifiers of all runs that are running.
    pub(crate) fn running(&self) -> Vec<String> {
        let rows = self.rows("SELECT id FROM load_test_runs WHERE status = 'running' ORDER BY id");
        let id = |row: &Value| row["id"].as_str().expect("a text").to_owned();
        rows.iter().map(id).collect()
    }

    /// A run that has ended: its row in D1.
    pub(crate) fn run_row(&self, id: &str) -> Value {
        let rows = self.rows(&format!("SELECT * FROM load_test_runs WHERE id = '{id}'"));
        assert_eq!(rows.len(), 1, "runs with the id {id}");
        rows[0].clone()
    }

    /// The stored summary of a run.
    pub(crate) fn summary(&self, id: &str) -> Summary {
        Summary::parse(&self.run_row(id)["summary_json"])
    }

    /// What both Workers printed so far.
    pub(crate) fn logs(&self) -> String {
        [devstack::Service::LoadTest, devstack::Service::Grove]
            .map(|service| fs::read(self.log(service)).expect("a log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat()
    }

    /// Ends what an earlier test left behind when it failed.
    fn tidy(&self) {
        self.grove.clear_faults();
        for id in self.running() {
            // What matters is that it stops running, which is waited for.
            self.api.post(&format!("/runs/{id}/cancel"), &json!({}));
        }
        until("nothing is running", Duration::from_secs(30), || {
            self.running().is_empty().then_some(())
        });
    }
}

impl Drop for Lab {
    /// A panic would cost the whole isolate, and all runs in it; it shows nowhere but in the log.
    fn drop(&mut self) {
        if !thread::panicking() {
            let logs = self.logs().replace(ON_PURPOSE, "");
            for sign in ["panicked at", "RuntimeError: unreachable", "Uncaught"] {
                assert!(!logs.contains(sign), "the log has {sign:?}:\n{logs}");
            }
        }
    }
}

/// What is printed when `faulty.js` lets a part of the load tester fail.
const ON_PURPOSE: &str = "Uncaught Error: on purpose";

impl Deref for Lab {
    type Target = DevStack;

    fn deref(&self) -> &DevStack {
        match &self.stack {
            Stack::Shared(stack) => &stack.stack,
            Stack::Own(stack) => &stack.stack,
        }
    }
}

impl DerefMut for Lab {
    fn deref_mut(&mut self) -> &mut DevStack {
        match &mut self.stack {
            Stack::Shared(stack) => &mut stack.stack,
            Stack::Own(stack) => &mut stack.stack,
        }
    }
}

impl Allowing {
    fn start(options: Options) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let stack = DevStack::start(options.allowed_host(host).allowed_host(NOBODY));
        stack
            .map(|stack| Self { stack, listener })
            .map_err(|error| format!("{error:#}"))
    }
}

/// Short slices and small batches, so that a short run with few users already crosses slices and is spread
/// over several batches.
fn options() -> Options {
    Options::default()
        .batch_key(BATCH_KEY)
        .var("SLICE_SECONDS", "4")
        .var("USERS_PER_BATCH", "5")
        .var("MAX_USERS", "1000")
        .var("MAX_DURATION", "1h")
}
