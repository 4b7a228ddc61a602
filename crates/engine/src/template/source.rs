//! Where the value of a place comes from: names and functions, looked up once.

use super::error::{TemplateError, shown};
use super::expression::{Expression, Malformed, is_identifier};
use super::parse::Names;
use super::render::VariableId;

/// Where the value of a place comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    UserId,
    Tenant,
    Variant,
    Iteration,
    Vu,
    Uuid,
    Timestamp,
    TimestampSeconds,
    IsoTime,
    PostTitle,
    PostMarkdown,
    RandomInt(u64, u64),
    RandomString(u32),
    Choice(Vec<String>),
    Variable(VariableId),
    Key,
    Data { table: u16, column: u16 },
    Env(u16),
    Text(String),
    Call(Function, Vec<Self>),
}

/// A function of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Base64,
    Base64Url,
    HmacSha256,
    Sha256,
    Upper,
    Lower,
    UrlEncode,
}

impl Function {
    const ALL: [(&'static str, Self); 7] = [
        ("base64", Self::Base64),
        ("base64url", Self::Base64Url),
        ("hmacSha256", Self::HmacSha256),
        ("sha256", Self::Sha256),
        ("upper", Self::Upper),
        ("lower", Self::Lower),
        ("urlEncode", Self::UrlEncode),
    ];

    const fn takes(self) -> (usize, &'static str) {
        match self {
            Self::HmacSha256 => (2, "2 arguments"),
            _ => (1, "1 argument"),
        }
    }
}

impl Source {
    /// Understands what stands in a place.
    pub(super) fn parse(place: &str, names: Names<'_>) -> Result<Self, TemplateError> {
        let expression = Expression::parse(place).map_err(|malformed| match malformed {
            Malformed::Grammar => TemplateError::NotUnderstood {
                place: shown(place),
            },
            Malformed::TooDeep => TemplateError::TooDeep,
        })?;
        match expression {
            Expression::Name(_) | Expression::Call(..) => Self::resolve(&expression, names),
            Expression::Number(_) | Expression::Text(_) => Err(TemplateError::NotUnderstood {
                place: shown(place),
            }),
        }
    }

    /// Whether it is what is looked for, or an argument of it is.
    pub(super) fn is_or_holds(&self, wanted: &dyn Fn(&Self) -> bool) -> bool {
        let inside = match self {
            Self::Call(_, arguments) => arguments.iter().any(|a| a.is_or_holds(wanted)),
            _ => false,
        };
        inside || wanted(self)
    }

    fn resolve(expression: &Expression<'_>, names: Names<'_>) -> Result<Self, TemplateError> {
        match expression {
            Expression::Name(name) => Self::of_name(name, names),
            Expression::Number(text) | Expression::Text(text) => Ok(Self::Text((*text).to_owned())),
            Expression::Call(name, arguments) => Self::of_call(name, arguments, names),
        }
    }

    fn of_name(name: &str, names: Names<'_>) -> Result<Self, TemplateError> {
        let mut parts = name.split('.');
        if let (Some("data"), Some(table), Some(column), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        {
            return of_data(table, column, names);
        }
        if let Some(name) = name.strip_prefix("env.") {
            return of_env(name, names);
        }
        Ok(match name {
            "userId" => Self::UserId,
            "tenant" => Self::Tenant,
            "variant" => Self::Variant,
            "iteration" => Self::Iteration,
            "vu" => Self::Vu,
            "key" => Self::Key,
            "uuid" => Self::Uuid,
            "timestamp" => Self::Timestamp,
            "timestampSeconds" => Self::TimestampSeconds,
            "isoTime" => Self::IsoTime,
            "postTitle" => Self::PostTitle,
            "postMarkdown" => Self::PostMarkdown,
            "mediaBytes" => return Err(TemplateError::MediaInText),
            name if is_built_in(name) || !is_identifier(name) => {
                return Err(TemplateError::NotUnderstood { place: shown(name) });
            }
            name => {
                let known = names.variables.iter().position(|known| known == name);
                let id = known.and_then(|at| u16::try_from(at).ok());
                let unknown = || TemplateError::UnknownVariable { name: shown(name) };
                Self::Variable(VariableId(id.ok_or_else(unknown)?))
            }
        })
    }

    fn of_call(
        name: &str,
        arguments: &[Expression<'_>],
        names: Names<'_>,
    ) -> Result<Self, TemplateError> {
        let wrong = |function, takes| TemplateError::Arguments {
            function,
            takes,
            given: given(arguments),
        };
        if let Some((name, function)) = Function::ALL.iter().find(|(known, _)| *known == name) {
            let (count, takes) = function.takes();
            if arguments.len() != count {
                return Err(TemplateError::Arguments {
                    function: name,
                    takes,
                    given: arguments.len().to_string(),
                });
            }
            let arguments = arguments
                .iter()
                .map(|argument| Self::resolve(argument, names));
            return Ok(Self::Call(*function, arguments.collect::<Result<_, _>>()?));
        }
        match (name, arguments) {
            ("randomInt", [Expression::Number(low), Expression::Number(high)]) => {
                match (low.parse(), high.parse()) {
                    (Ok(low), Ok(high)) if low <= high => Ok(Self::RandomInt(low, high)),
                    _ => Err(wrong("randomInt", RANDOM_INT_TAKES)),
                }
            }
            ("randomInt", _) => Err(wrong("randomInt", RANDOM_INT_TAKES)),
            ("randomString", [Expression::Number(length)]) => match length.parse() {
                Ok(length @ 1..=RANDOM_STRING_MAX) => Ok(Self::RandomString(length)),
                _ => Err(wrong("randomString", RANDOM_STRING_TAKES)),
            },
            ("randomString", _) => Err(wrong("randomString", RANDOM_STRING_TAKES)),
            ("choice", items) => {
                let items = items.iter().map(|item| match item {
                    Expression::Text(text) => Some((*text).to_owned()),
                    _ => None,
                });
                let items = items.collect::<Option<_>>();
                items
                    .map(Self::Choice)
                    .ok_or_else(|| wrong("choice", "texts"))
            }
            _ => Err(TemplateError::UnknownFunction { name: shown(name) }),
        }
    }
}

/// Whether a name may be given to a variable: letters, digits and `_`, not beginning with a digit, at most 64
/// characters, and not the name of something built in.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    is_identifier(name) && !is_built_in(name)
}

/// Whether what stands in a place holds nothing but names and numbers, no text of the template's author.
pub(crate) fn is_open_place(place: &str) -> bool {
    Expression::parse(place).is_ok_and(|expression| expression.is_open())
}

fn of_data(table: &str, column: &str, names: Names<'_>) -> Result<Source, TemplateError> {
    let unknown = |what: &str, name: &str, known: Vec<&str>| TemplateError::UnknownData {
        problem: if known.is_empty() {
            format!("unknown {what} {:?}: the scenario has no data", shown(name))
        } else {
            format!(
                "unknown {what} {:?}: known are {}",
                shown(name),
                known.join(", ")
            )
        },
    };
    let found = names.tables.iter().position(|known| known.name == table);
    let found = found.and_then(|at| Some((u16::try_from(at).ok()?, names.tables.get(at)?)));
    let Some((at, found)) = found else {
        let known = names.tables.iter().map(|table| table.name.as_str());
        return Err(unknown("table", table, known.collect()));
    };
    let place = found.columns.iter().position(|known| known == column);
    let Some(column) = place.and_then(|place| u16::try_from(place).ok()) else {
        let known = found.columns.iter().map(String::as_str);
        return Err(unknown("column", column, known.collect()));
    };
    Ok(Source::Data { table: at, column })
}

fn of_env(name: &str, names: Names<'_>) -> Result<Source, TemplateError> {
    let place = names.env.iter().position(|known| known == name);
    let place = place.and_then(|place| u16::try_from(place).ok());
    place.map(Source::Env).ok_or_else(|| {
        let known = match names.env {
            [] => "no scenario has any".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        TemplateError::UnknownData {
            problem: format!("unknown value {:?} of env: {known}", shown(name)),
        }
    })
}

fn given(arguments: &[Expression<'_>]) -> String {
    let texts = arguments.iter().map(|argument| match argument {
        Expression::Name(text) | Expression::Number(text) => shown(text),
        Expression::Text(text) => format!("'{}'", shown(text)),
        Expression::Call(name, _) => format!("{}(…)", shown(name)),
    });
    shown(&texts.collect::<Vec<_>>().join(", "))
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name) || Function::ALL.iter().any(|(known, _)| *known == name)
}

const BUILT_IN: [&str; 19] = [
    "userId",
    "tenant",
    "variant",
    "iteration",
    "vu",
    "key",
    "uuid",
    "timestamp",
    "timestampSeconds",
    "isoTime",
    "postTitle",
    "postMarkdown",
    "mediaBytes",
    "randomInt",
    "randomString",
    "choice",
    "data",
    "env",
    "secret",
];

pub(super) const ACCEPTED_NAMES: &str = "token, sessionId, userId, tenant, variant, iteration, vu, uuid, \
     timestamp, timestampSeconds, isoTime, postTitle, postMarkdown, in names of objects key and, as a whole \
     body, mediaBytes";

pub(super) const ACCEPTED_FUNCTIONS: &str = "randomInt(a,b), randomString(n), choice(a,b,…), base64(x), base64url(x), hmacSha256(key,x), \
     sha256(x), upper(x), lower(x) and urlEncode(x)";

const RANDOM_INT_TAKES: &str = "two whole numbers, the smaller first";

const RANDOM_STRING_TAKES: &str = "a length from 1 to 1024";

const RANDOM_STRING_MAX: u32 = 1_024;
