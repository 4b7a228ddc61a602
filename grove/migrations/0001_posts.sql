-- Grove's posts. The body comes last in its row, so that lists, which do not read it, stop
-- before its overflow pages.
CREATE TABLE tenants (
  name TEXT PRIMARY KEY,
  created_ms INTEGER NOT NULL        -- Unix ms
) WITHOUT ROWID;

CREATE TABLE posts (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  slug TEXT NOT NULL,
  title TEXT NOT NULL,
  excerpt TEXT NOT NULL,
  author TEXT NOT NULL,
  tags TEXT NOT NULL,                -- JSON array of strings
  created_ms INTEGER NOT NULL,       -- Unix ms
  body TEXT NOT NULL,                -- Markdown
  PRIMARY KEY (tenant, id)
);

-- The list of a tenant, newest first, read page by page from the key of the last entry.
CREATE INDEX idx_posts_recent ON posts(tenant, created_ms DESC, id DESC);
-- The reading page finds a post by its address.
CREATE UNIQUE INDEX idx_posts_slug ON posts(tenant, slug);

CREATE TABLE post_tags (
  tenant TEXT NOT NULL,
  tag TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  post_id TEXT NOT NULL,
  PRIMARY KEY (tenant, tag, created_ms, post_id)
) WITHOUT ROWID;
