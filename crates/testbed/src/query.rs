//! The query of a request, read by type.
//!
//! Invariant: what is not understood is refused, except parameters that begin with `_`, which a load tester may
//! add to make its URLs differ.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The parameters that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Query<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

/// Why a request is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadQuery {
    /// A parameter has a value of another form.
    #[error("{name}={value} is not {accepted}")]
    Value {
        name: &'static str,
        value: String,
        accepted: &'static str,
    },
    /// A parameter that the path needs is missing.
    #[error("{name} is missing: {accepted}")]
    Missing {
        name: &'static str,
        accepted: &'static str,
    },
    /// More than one delay.
    #[error("give one of ms, uniform, normal and lognormal")]
    TwoDelays,
    /// The path does not know this parameter.
    #[error("unknown parameter {0}; names that begin with _ are ignored")]
    Unknown(String),
}

impl<'a> Query<'a> {
    /// The parameters of a query without its question mark. Of two with the same name the last one counts.
    pub(crate) fn parse(text: &'a str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Self(pairs.filter(|(name, _)| !name.starts_with('_')).collect())
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.0.remove(name).map(Cow::into_owned)
    }

    /// A whole number.
    pub(crate) fn number<T: FromStr>(&mut self, name: &'static str) -> Result<Option<T>, BadQuery> {
        self.parsed(name, "a whole number", |text| text.parse().ok())
    }

    /// A number that is not negative.
    pub(crate) fn positive(&mut self, name: &'static str) -> Result<Option<f64>, BadQuery> {
        self.parsed(name, "a number from 0", positive)
    }

    /// A share of 1.
    pub(crate) fn share(&mut self, name: &'static str) -> Result<Option<f64>, BadQuery> {
        self.parsed(name, "a number from 0 to 1", |text| {
            positive(text).filter(|share| *share <= 1.0)
        })
    }

    /// Two numbers that are not negative, with a comma in between.
    pub(crate) fn pair(&mut self, name: &'static str) -> Result<Option<(f64, f64)>, BadQuery> {
        self.parsed(name, "two numbers from 0, as in 20,5", |text| {
            let (first, second) = text.split_once(',')?;
            Some((positive(first)?, positive(second)?))
        })
    }

    /// One of several words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        accepted: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, BadQuery> {
        self.parsed(name, accepted, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value)
        })
    }

    /// To be called when everything that is known has been taken.
    pub(crate) fn finish(self) -> Result<(), BadQuery> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(BadQuery::Unknown(name.into_owned())),
        }
    }

    fn parsed<T>(
        &mut self,
        name: &'static str,
        accepted: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, BadQuery> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(BadQuery::Value {
                name,
                value,
                accepted,
            }),
        }
    }
}

fn positive(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}
