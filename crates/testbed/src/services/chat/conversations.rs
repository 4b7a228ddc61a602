//! What was said, and what is answered.
//!
//! Invariant: an answer depends on the conversation alone; how much is remembered is bounded.

use std::collections::BTreeMap;

/// All conversations.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    last: u64,
    conversations: BTreeMap<u64, Conversation>,
}

#[derive(Debug, Default)]
struct Conversation {
    turns: u64,
    /// What was said last.
    recent: std::collections::VecDeque<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The conversation.
    pub(super) conversation: String,
    /// How often something was said in it, this included.
    pub(super) turn: u64,
    /// The words of the answer.
    pub(super) tokens: Vec<String>,
    /// What is added of the runtime's own accord.
    pub(super) chimes: Vec<String>,
    /// How many words were said.
    pub(super) prompt_tokens: usize,
}

impl Conversations {
    /// Answers what is said in a conversation, or begins a new one; `None` when there is none of this name.
    pub(super) fn say(&mut self, conversation: Option<&str>, message: &str) -> Option<Answer> {
        let number = match conversation {
            Some(name) => name.strip_prefix(PREFIX)?.parse().ok()?,
            None => self.begin(),
        };
        let conversation = self.conversations.get_mut(&number)?;
        conversation.turns += 1;
        if conversation.recent.len() >= RECENT_MAX {
            conversation.recent.pop_front();
        }
        conversation.recent.push_back(message.to_owned());
        let turn = conversation.turns;
        let words: Vec<&str> = message.split_whitespace().collect();
        let opening = ["You", "said", "in", "turn"].map(str::to_owned);
        let quoted = words.iter().take(QUOTED_MAX).map(|word| (*word).to_owned());
        let tokens = opening
            .into_iter()
            .chain([format!("{turn}:")])
            .chain(quoted);
        let chimes = if turn.is_multiple_of(CHIMES_EVERY) {
            vec![format!("We have been at this for {turn} turns.")]
        } else {
            Vec::new()
        };
        Some(Answer {
            conversation: format!("{PREFIX}{number}"),
            turn,
            tokens: tokens.collect(),
            chimes,
            prompt_tokens: words.len(),
        })
    }

    /// How many conversations there are, and how many bytes of them are kept.
    pub(super) fn totals(&self) -> (usize, usize) {
        let recent = self.conversations.values().flat_map(|one| &one.recent);
        (self.conversations.len(), recent.map(String::len).sum())
    }

    fn begin(&mut self) -> u64 {
        if self.conversations.len() >= CONVERSATIONS_MAX {
            self.conversations.pop_first();
        }
        self.last += 1;
        self.conversations
            .insert(self.last, Conversation::default());
        self.last
    }
}

const PREFIX: &str = "conversation-";

/// How many conversations are remembered.
const CONVERSATIONS_MAX: usize = 10_000;

/// How much of a conversation is remembered.
const RECENT_MAX: usize = 20;

/// How much of a message is said back.
const QUOTED_MAX: usize = 40;

/// Every so many turns of a conversation something is added.
const CHIMES_EVERY: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fifth_turn_of_a_conversation_has_a_chime() {
        let mut conversations = Conversations::default();
        let first = conversations.say(None, "hello there").unwrap();
        assert_eq!(first.tokens.join(" "), "You said in turn 1: hello there");
        let mut chimes = Vec::new();
        for _ in 0..9 {
            let answer = conversations
                .say(Some(&first.conversation), "and?")
                .unwrap();
            chimes.push(answer.chimes.len());
        }
        assert_eq!(chimes, [0, 0, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(conversations.say(Some("conversation-9"), "x"), None);
        assert_eq!(conversations.say(Some("nonsense"), "x"), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut conversations = Conversations::default();
        for _ in 0..CONVERSATIONS_MAX + 5 {
            conversations.say(None, "x").unwrap();
        }
        let last = format!("{PREFIX}{}", CONVERSATIONS_MAX + 5);
        for _ in 0..100 {
            conversations.say(Some(&last), "x").unwrap();
        }
        let bytes = CONVERSATIONS_MAX - 1 + RECENT_MAX;
        assert_eq!(conversations.totals(), (CONVERSATIONS_MAX, bytes));
    }
}
