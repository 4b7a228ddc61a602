//! Problems and warnings about loads, and the fields of one load as they are asked for.

use std::fmt::Display;

use super::durations;
use crate::duration::Written;
use crate::plan::Problem;
use crate::scenario::DurationValue;
use crate::tick::Span;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// The fields of one object, asked for one by one. Everything that is wrong is noted, and the answer is `None`.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub(super) path: String,
    pub(super) findings: &'a mut Findings,
    aliases: &'static [(&'static str, &'static str)], // a field, and what the file calls it
}

/// What a number or duration may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits<T> {
    pub(super) min: T,
    pub(super) max: T,
}

impl Findings {
    pub(super) fn problem(&mut self, path: impl Into<String>, message: impl Display) {
        note(&mut self.problems, path.into(), &message);
    }

    pub(super) fn warning(&mut self, path: impl Into<String>, message: impl Display) {
        note(&mut self.warnings, path.into(), &message);
    }
}

impl<'a> Fields<'a> {
    pub(super) const fn new(path: String, findings: &'a mut Findings) -> Self {
        Self {
            path,
            findings,
            aliases: &[],
        }
    }

    /// Calls fields as the file does that was written in k6's shortcuts.
    pub(super) const fn alias(&mut self, aliases: &'static [(&'static str, &'static str)]) {
        self.aliases = aliases;
    }

    pub(super) fn problem(&mut self, field: &str, message: impl Display) {
        let path = self.path_of(field);
        self.findings.problem(path, message);
    }

    pub(super) fn warning(&mut self, field: &str, message: impl Display) {
        let path = self.path_of(field);
        self.findings.warning(path, message);
    }

    /// A number within its limits, the default when it is absent.
    pub(super) fn number(
        &mut self,
        field: &str,
        value: Option<i64>,
        default: i64,
        limits: Limits<i64>,
    ) -> Option<u32> {
        let value = value.unwrap_or(default);
        let Limits { min, max } = limits;
        if value < min || value > max {
            self.problem(
                field,
                format_args!("{value} is out of range: accepted are {min} to {max}"),
            );
            return None;
        }
        u32::try_from(value).ok()
    }

    /// A number that must be there.
    pub(super) fn needed_number(
        &mut self,
        field: &str,
        value: Option<i64>,
        limits: Limits<i64>,
    ) -> Option<u32> {
        if value.is_none() {
            let Limits { min, max } = limits;
            self.problem(
                field,
                format_args!("is missing: accepted are {min} to {max}"),
            );
        }
        self.number(field, Some(value?), 0, limits)
    }

    /// A duration in k6's form of at least `min`, the default when it is absent.
    pub(super) fn duration(
        &mut self,
        field: &str,
        value: Option<&DurationValue>,
        default: Span,
        min: Span,
    ) -> Option<Span> {
        let Some(value) = value else {
            return Some(default);
        };
        match durations::k6(value) {
            Err(message) => {
                self.problem(field, format_args!("{value} {message}"));
                None
            }
            Ok((span, _)) if span < min => {
                let min = Written(min);
                self.problem(
                    field,
                    format_args!("{value} is too short: accepted are durations from {min} on"),
                );
                None
            }
            Ok((span, without_unit)) => {
                if without_unit && !span.is_zero() {
                    self.warning(
                        field,
                        format_args!("{value} has no unit and is taken as milliseconds, as in k6"),
                    );
                }
                Some(span)
            }
        }
    }

    /// A duration that must be there.
    pub(super) fn needed_duration(
        &mut self,
        field: &str,
        value: Option<&DurationValue>,
        min: Span,
    ) -> Option<Span> {
        if value.is_none() {
            let min = Written(min);
            self.problem(
                field,
                format_args!("is missing: accepted are durations from {min} on"),
            );
        }
        self.duration(field, Some(value?), Span::ZERO, min)
    }

    fn path_of(&self, field: &str) -> String {
        let alias = self.aliases.iter().find(|(name, _)| *name == field);
        let field = alias.map_or(field, |(_, written)| *written);
        if field.is_empty() {
            self.path.clone()
        } else {
            format!("{}.{field}", self.path)
        }
    }
}

fn note(list: &mut Vec<Problem>, path: String, message: &dyn Display) {
    if list.len() < NOTES_MAX {
        let message = message.to_string();
        list.push(Problem { path, message });
    }
}

/// So that an answer stays readable and bounded.
const NOTES_MAX: usize = 100;
