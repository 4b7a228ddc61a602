//! The stack with two small Workers in JavaScript: what it promises does not depend on ours.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use devstack::{DevStack, Options, Project, Service, processes_in};
use serde_json::json;

fn options() -> Options {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture");
    Options::default().project(Project::at(fixture))
}

fn get(url: &str) -> String {
    let mut answer = ureq::get(url)
        .call()
        .unwrap_or_else(|error| panic!("GET {url}: {error}"));
    answer.body_mut().read_to_string().expect("text")
}

#[test]
fn one_stack_gives_everything_that_the_tests_need() {
    let options = options().var("EXTRA", "more").token("t0ken");
    let mut stack = DevStack::start(options.allowed_host("127.0.0.1:9")).expect("the stack starts");

    let vars: serde_json::Value =
        serde_json::from_str(&get(&format!("{}/vars", stack.url()))).expect("JSON");
    assert_eq!(vars["ENVIRONMENT"], "local");
    assert_eq!(vars["EXTRA"], "more");
    assert_eq!(vars["VISTA_TOKEN"], "t0ken");
    assert_eq!(
        vars["ALLOWED_HOSTS"],
        stack.grove_url().trim_start_matches("http://").to_owned() + ", 127.0.0.1:9"
    );
    assert_eq!(vars["BATCH_KEY"].as_str().map(str::len), Some(64));
    let targets: serde_json::Value =
        serde_json::from_str(vars["TARGETS"].as_str().expect("a string")).expect("JSON");
    assert_eq!(
        targets,
        json!({"staging": stack.grove_url(), "production": stack.grove_url()})
    );
    let log = std::fs::read_to_string(stack.log(Service::LoadTest)).expect("a log");
    assert!(!log.contains("t0ken"), "the log shows a secret");

    assert_eq!(get(&format!("{}/self", stack.url())), "ok");
    assert_eq!(get(&format!("{}/neighbour", stack.url())), "grove");
    assert_eq!(get(&format!("{}/count", stack.grove_url())), "1");
    assert_eq!(get(&format!("{}/theirs", stack.url())), "2");

    get(&format!("{}/note?text=hello", stack.url()));
    let rows = stack
        .d1_query("SELECT text, weight, NULL AS absent FROM notes")
        .expect("rows");
    assert_eq!(
        rows,
        [json!({"text": "hello", "weight": 0.5, "absent": null})]
    );
    assert!(
        stack.d1_query("DELETE FROM notes").is_err(),
        "a query must not write"
    );

    stack.trigger_cron("0 4 * * *").expect("the cron runs");
    let rows = stack
        .d1_query("SELECT text FROM notes WHERE text LIKE 'cron%'")
        .expect("rows");
    assert_eq!(rows, [json!({"text": "cron 0 4 * * *"})]);
    assert!(
        stack.trigger_cron("1 1 1 1 1").is_err(),
        "a failing cron is an error"
    );

    assert_eq!(stack.kv_get("flag").expect("an answer"), None);
    stack.kv_put("flag", "up").expect("written");
    assert_eq!(get(&format!("{}/kv?key=flag", stack.url())), "up");
    stack.kv_put("flag", "down").expect("written");
    assert_eq!(get(&format!("{}/kv?key=flag", stack.url())), "down");
    assert_eq!(
        stack.kv_get("flag").expect("an answer").as_deref(),
        Some("down")
    );

    let (url, grove_url) = (stack.url(), stack.grove_url());
    stack.kill_hard(Service::LoadTest);
    assert!(
        ureq::get(format!("{url}/api/loadtest/health"))
            .call()
            .is_err(),
        "it is dead"
    );
    assert_eq!(get(&format!("{grove_url}/count")), "3", "Grove lives on");
    stack.restart(Service::LoadTest).expect("it starts again");
    assert_eq!(stack.url(), url);
    assert_eq!(get(&format!("{url}/kv?key=flag")), "down");
    assert_eq!(
        stack.d1_query("SELECT * FROM notes").expect("rows").len(),
        2
    );
    assert_eq!(get(&format!("{url}/theirs")), "4");

    let (state, groups) = (stack.state_dir().to_owned(), stack.process_groups());
    assert!(
        processes_in(&groups).len() > 4,
        "{:?}",
        processes_in(&groups)
    );
    drop(stack);
    assert!(!state.exists(), "the temporary state is removed");
    assert_eq!(processes_in(&groups), Vec::<String>::new());
}

#[test]
fn stacks_that_start_at_the_same_moment_do_not_get_into_each_others_way() {
    let start = |name: &str| DevStack::start(options().var("EXTRA", name)).expect("it starts");
    let names = ["first", "second", "third"];
    let stacks: Vec<DevStack> = thread::scope(|scope| {
        let starting = names.map(|name| scope.spawn(move || start(name)));
        let started = starting
            .into_iter()
            .map(|thread| thread.join().expect("a stack"));
        started.collect()
    });
    for (name, stack) in names.iter().zip(&stacks) {
        let vars: serde_json::Value =
            serde_json::from_str(&get(&format!("{}/vars", stack.url()))).expect("JSON");
        assert_eq!(vars["EXTRA"], *name);
        assert_eq!(get(&format!("{}/count", stack.grove_url())), "1");
        assert_eq!(get(&format!("{}/neighbour", stack.url())), "grove");
    }
}

#[test]
fn a_given_state_outlives_the_stack() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let first = DevStack::start(options().state(dir.path())).expect("the stack starts");
    get(&format!("{}/note?text=kept", first.url()));
    drop(first);
    let second = DevStack::start(options().state(dir.path())).expect("the stack starts again");
    let rows = second.d1_query("SELECT text FROM notes").expect("rows");
    assert_eq!(rows, [json!({"text": "kept"})]);
}

#[test]
fn nothing_is_left_when_the_program_that_holds_the_stack_is_killed() {
    if std::env::var_os("DEVSTACK_TEST_CHILD").is_some() {
        let stack = DevStack::start(options()).expect("the stack starts");
        let groups: Vec<String> = stack.process_groups().iter().map(i32::to_string).collect();
        println!("stack={}:{}", groups.join(","), stack.state_dir().display());
        loop {
            thread::park();
        }
    }
    use std::io::{BufRead, BufReader};
    let mut child = Command::new(std::env::current_exe().expect("our own path"))
        .args([
            "--exact",
            "--nocapture",
            "nothing_is_left_when_the_program_that_holds_the_stack_is_killed",
        ])
        .env("DEVSTACK_TEST_CHILD", "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("our own program starts");
    let stack = BufReader::new(child.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("stack=").map(|(_, stack)| stack.to_owned()))
        .expect("the child tells about its stack");
    let (groups, state) = stack.split_once(':').expect("groups and state");
    let groups: Vec<i32> = groups
        .split(',')
        .map(|group| group.parse().expect("a number"))
        .collect();
    assert!(
        processes_in(&groups).len() > 4,
        "{:?}",
        processes_in(&groups)
    );
    child.kill().expect("killed");
    child.wait().expect("waited for");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !processes_in(&groups).is_empty() {
        assert!(
            Instant::now() < deadline,
            "left behind: {:?}",
            processes_in(&groups)
        );
        thread::sleep(Duration::from_millis(50));
    }
    assert!(!Path::new(state).exists(), "the temporary state is removed");
}

#[test]
fn a_worker_that_is_not_ready_is_an_error_with_its_log() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture");
    let output = Command::new("cp")
        .arg("-r")
        .arg(fixture)
        .arg(dir.path().join("p"))
        .status();
    assert!(output.expect("cp runs").success());
    std::fs::write(
        dir.path().join("p/grove/src/worker.js"),
        "this is not JavaScript",
    )
    .expect("written");
    let options = options().project(Project::at(dir.path().join("p")));
    let error = DevStack::start(options).expect_err("it cannot start");
    let text = format!("{error:#}");
    assert!(
        text.contains("grove-lattice") && text.contains("worker.js"),
        "{text}"
    );
}
