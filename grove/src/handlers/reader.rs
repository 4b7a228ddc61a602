//! The page on which people read a post.
//!
//! Invariant: everything that a writer wrote is escaped.

use worker::Response;

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::input::{Slug, TenantName};
use crate::store::{Post, Store};

/// `GET /t/:tenant/:slug`
pub(super) async fn read(app: &App, tenant: &TenantName, slug: &Slug) -> ApiResult<Response> {
    let post = Store::open(app)?
        .post_by_slug(tenant, slug)
        .await?
        .ok_or_else(|| ApiError::not_found("there is no such post"))?;
    let response = Response::from_html(page(tenant, &post))?;
    response
        .headers()
        .set("Content-Security-Policy", "default-src 'none'")?;
    Ok(response)
}

fn page(tenant: &TenantName, post: &Post) -> String {
    let title = escaped(&post.summary.title);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>{title}</title></head><body><article><h1>{title}</h1>\
         <p>{} in {}</p>",
        escaped(&post.summary.author),
        escaped(tenant.as_str())
    );
    for paragraph in post.body.split("\n\n") {
        page.push_str("<p>");
        page.push_str(&escaped(paragraph));
        page.push_str("</p>");
    }
    page.push_str("</article></body></html>");
    page
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_writers_is_escaped() {
        assert_eq!(
            escaped("<script>\"a\" & 'b'</script>"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;"
        );
    }
}
