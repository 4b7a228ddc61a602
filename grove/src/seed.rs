//! The posts that every tenant starts with, so that a reader finds something everywhere.
//!
//! Invariant: the same tenant always gets the same ids, texts and times; writing them twice
//! changes nothing.

use crate::error::ApiResult;
use crate::input::{self, PostId, TenantName};
use crate::store::{Post, PostSummary};

/// When the newest of them says it was written: before everything that is written here.
const NEWEST_MS: u64 = 1_767_225_600_000; // 2026-01-01T00:00:00Z
const HOUR_MS: u64 = 3_600_000;

struct Text {
    title: &'static str,
    slug: &'static str,
    tags: &'static [&'static str],
    paragraphs: &'static [&'static str],
}

/// The first posts of a tenant, newest first.
pub(crate) fn posts(tenant: &TenantName) -> ApiResult<Vec<Post>> {
    (0..)
        .zip(TEXTS)
        .map(|(age, text)| {
            let id = PostId::parse(&format!("seed-{}", age + 1))?;
            let body = format!("# {}\n\n{}\n", text.title, text.paragraphs.join("\n\n"));
            Ok(Post {
                summary: PostSummary {
                    slug: format!("{}-{}", text.slug, id.as_str()),
                    id,
                    title: text.title.to_owned(),
                    excerpt: input::excerpt(&body),
                    author: format!("{}-gardener", tenant.as_str()),
                    tags: text.tags.iter().map(|&tag| tag.to_owned()).collect(),
                    created_ms: NEWEST_MS - age * HOUR_MS,
                },
                body,
            })
        })
        .collect()
}

/// Whether an id is one of those posts'.
pub(crate) fn is_seed(id: &PostId) -> bool {
    id.as_str().starts_with("seed-")
}

const TEXTS: [Text; 5] = [
    Text {
        title: "Welcome to the grove",
        slug: "welcome-to-the-grove",
        tags: &["welcome", "grove"],
        paragraphs: &[
            "A grove is a small wood without undergrowth: enough trees for shade, enough light to read by. This one is for words.",
            "Write what you would tell a friend on a walk. **Short is fine**, slow is fine, and nobody counts how often you post.",
            "- Posts are plain Markdown.\n- Pictures live beside them.\n- Readers answer with a leaf, a heart or a laugh.",
            "If you have just arrived, begin with a sentence about the weather where you are. It is harder than it looks.",
        ],
    },
    Text {
        title: "What the oak remembers",
        slug: "what-the-oak-remembers",
        tags: &["trees", "notes"],
        paragraphs: &[
            "Cut an oak and you can read its years: wide rings for wet summers, narrow ones for drought, a dark line where fire passed.",
            "It keeps no record of a single day. What stays is the *sum* of days, and that turns out to be what anyone asks about later.",
            "> A season is what is left when the days have been forgotten.",
            "I have started to keep notes in the same way: one line a week, no more, and never about what I planned.",
        ],
    },
    Text {
        title: "Moss on the north side",
        slug: "moss-on-the-north-side",
        tags: &["walks"],
        paragraphs: &[
            "They say that moss grows on the north side of trees. In our valley it grows on the side that faces the brook.",
            "Rules of thumb carry the place where they were found with them. Move them, and they quietly turn into decoration.",
            "## On the path\n\nThree kinds today: the star-shaped one on the stones, the cushion on the roof of the old pump house, and a fine green dust on the fence.",
        ],
    },
    Text {
        title: "A recipe for slow mornings",
        slug: "a-recipe-for-slow-mornings",
        tags: &["kitchen", "mornings"],
        paragraphs: &[
            "1. Put the kettle on before you look at anything that glows.\n2. Cut bread while the water is thinking.\n3. Open the window, whatever the month.",
            "The butter should be soft enough to spread and cold enough to taste. This takes eleven minutes on our sill in autumn.",
            "Nothing here scales. That is the point of it.",
        ],
    },
    Text {
        title: "Letters under the bark",
        slug: "letters-under-the-bark",
        tags: &["trees", "letters"],
        paragraphs: &[
            "The bark beetle writes under the bark where nobody reads. Its galleries look like a script: a main line, and branches at even distances.",
            "A forester can tell the species by the hand. `Ips typographus`, the *printer*, has the clearest one.",
            "I think of drafts in that way. Most of what is written is never meant for the light, and still it has to have a form.",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_starts_with_five_different_posts() {
        let tenant = TenantName::parse("oak").expect("valid");
        let first = posts(&tenant).expect("valid texts");
        assert_eq!(first.len(), 5);
        assert_eq!(first, posts(&tenant).expect("the same"));
        for pair in first.windows(2) {
            assert!(pair[0].summary.created_ms > pair[1].summary.created_ms);
            assert_ne!(pair[0].summary.slug, pair[1].summary.slug);
        }
        for post in &first {
            assert!(is_seed(&post.summary.id));
            assert!(input::Slug::parse(&post.summary.slug).is_ok());
            assert!(post.summary.excerpt.len() > 40);
        }
    }
}
