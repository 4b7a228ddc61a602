//! What shells and readers are told of the command.

use crate::lab::Lab;

fn printed(arguments: &[&str]) -> String {
    let lab = Lab::new();
    let mut command = lab.command();
    let ended = lab.ended(command.args(arguments).output().expect("it runs"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.out
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for word in ["run", "compare", "summary-export"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
}

#[test]
fn the_manual_page_has_every_command() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH sentinel"), "{page}");
    for part in ["SENTINEL RUN", "SENTINEL COMPARE", "summary\\-export"] {
        assert!(page.contains(part), "{part}");
    }
}
