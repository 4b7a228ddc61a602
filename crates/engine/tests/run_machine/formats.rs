//! What travels and what is stored, byte for byte. A change here cannot be read by an older version: it needs a
//! new version number, and a way for runs that are under way.
