//! What is written where, as on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use url::Url;

/// The outputs of a run.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OutputArguments {
    /// Write about the run, as KIND=FILE or KIND=URL; can be repeated. At its end: json (the summary), html (a page
    /// with charts), csv (the time line), junit (what had to hold, as test cases), prometheus (a text file), k6-data,
    /// k6-export and k6-summary (the shapes of k6). While it goes on: ndjson=FILE, prometheus=URL, otlp=URL,
    /// statsd=HOST:PORT
    #[arg(short, long, value_name = "KIND=TO")]
    pub(crate) out: Vec<Destination>,
    /// Write the summary in the shape of k6's option of this name, like --out k6-export=FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) summary_export: Option<PathBuf>,
}

/// What is written where: `junit=report.xml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A file that is written when the run is over.
    File(FileKind, PathBuf),
    /// Something that is told while the run goes on.
    Stream(StreamKind),
}

/// What a file about the whole run holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// The time line.
    Csv,
    /// A page to look at.
    Html,
    /// The summary, with the fields of `summary_json` in D1.
    Json,
    /// What had to hold, as test cases.
    Junit,
    /// What k6 hands to `handleSummary`.
    K6Data,
    /// The file of k6's `--summary-export`.
    K6Export,
    /// The file of k6's `--new-machine-readable-summary`.
    K6Summary,
    /// Prometheus' text format.
    Prometheus,
}

/// What is told while the run goes on, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// Lines of JSON.
    Ndjson(PathBuf),
    /// An OpenTelemetry collector.
    Otlp(Url),
    /// A server that takes Prometheus' remote write.
    RemoteWrite(Url),
    /// A StatsD server.
    Statsd(String),
}

impl OutputArguments {
    /// All of them.
    pub(super) fn destinations(&self) -> Vec<Destination> {
        let export = self.summary_export.iter();
        let export = export.map(|path| Destination::File(FileKind::K6Export, path.clone()));
        self.out.iter().cloned().chain(export).collect()
    }
}

impl FileKind {
    pub(super) const ALL: [Self; 8] = [
        Self::Csv,
        Self::Html,
        Self::Json,
        Self::Junit,
        Self::K6Data,
        Self::K6Export,
        Self::K6Summary,
        Self::Prometheus,
    ];

    /// Whether it is made of the summary alone, not of the points that a run on this machine tells.
    pub(super) const fn is_of_summary(self) -> bool {
        matches!(self, Self::Csv | Self::Html | Self::Json | Self::Junit)
    }

    /// As on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::K6Data => "k6-data",
            Self::K6Export => "k6-export",
            Self::K6Summary => "k6-summary",
            Self::Prometheus => PROMETHEUS,
        }
    }
}

const NDJSON: &str = "ndjson";
const OTLP: &str = "otlp";
const PROMETHEUS: &str = "prometheus";
const STATSD: &str = "statsd";

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, to) = text.split_once('=').unwrap_or((text, ""));
        let accepted = |form: &str| Err(format!("where to? Accepted is {kind}={form}"));
        match kind {
            NDJSON if to.is_empty() => accepted("FILE"),
            NDJSON => Ok(Self::Stream(StreamKind::Ndjson(to.into()))),
            OTLP => match url(to) {
                Some(url) => Ok(Self::Stream(StreamKind::Otlp(url))),
                None => accepted("URL, such as otlp=http://127.0.0.1:4318/v1/metrics"),
            },
            STATSD => match to.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Self::Stream(StreamKind::Statsd(to.to_owned())))
                }
                _ => accepted("HOST:PORT, such as statsd=127.0.0.1:8125"),
            },
            PROMETHEUS if to.contains("://") => match url(to) {
                Some(url) => Ok(Self::Stream(StreamKind::RemoteWrite(url))),
                None => accepted("URL, such as prometheus=http://127.0.0.1:9090/api/v1/write"),
            },
            _ => match FileKind::ALL.into_iter().find(|known| known.name() == kind) {
                Some(_) if to.is_empty() => accepted("FILE"),
                Some(kind) => Ok(Self::File(kind, to.into())),
                None => {
                    let files = FileKind::ALL.map(|kind| format!("{}=FILE", kind.name()));
                    let files = files.join(", ");
                    Err(format!(
                        "accepted are {files}, ndjson=FILE, otlp=URL, prometheus=URL, statsd=HOST:PORT"
                    ))
                }
            },
        }
    }
}

/// As on the command line, without what only the receiver may know: the secrets of a URL stay out of messages.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(kind, path) => write!(f, "{}={}", kind.name(), path.display()),
            Self::Stream(StreamKind::Ndjson(path)) => write!(f, "{NDJSON}={}", path.display()),
            Self::Stream(StreamKind::Otlp(url)) => write!(f, "{OTLP}={}", shown(url)),
            Self::Stream(StreamKind::RemoteWrite(url)) => {
                write!(f, "{PROMETHEUS}={}", shown(url))
            }
            Self::Stream(StreamKind::Statsd(to)) => write!(f, "{STATSD}={to}"),
        }
    }
}

/// A URL of HTTP.
fn url(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// A URL without name, password and query.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let port = port.unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read() {
        let read: Destination = "junit=a=b.xml".parse().unwrap();
        assert_eq!(read, Destination::File(FileKind::Junit, "a=b.xml".into()));
        let read: Destination = "prometheus=metrics.prom".parse().unwrap();
        let file = Destination::File(FileKind::Prometheus, "metrics.prom".into());
        assert_eq!(read, file);
        for text in [
            "prometheus=http://127.0.0.1:9090/api/v1/write",
            "otlp=https://collector:4318/v1/metrics",
            "statsd=[::1]:8125",
            "ndjson=points.json",
        ] {
            let read: Destination = text.parse().unwrap();
            assert!(matches!(read, Destination::Stream(_)), "{text}");
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn others_are_refused_with_what_is_accepted() {
        for (text, accepted) in [
            ("junit", "junit=FILE"),
            ("junit=", "junit=FILE"),
            ("influxdb=x", "junit=FILE"),
            ("=x", "statsd=HOST:PORT"),
            ("", "otlp=URL"),
            ("otlp=collector:4318", "otlp=http://"),
            ("otlp=ftp://collector", "otlp=http://"),
            ("prometheus=http://", "prometheus=http://"),
            ("statsd=localhost", "statsd=127.0.0.1:8125"),
            ("statsd=:8125", "statsd=127.0.0.1:8125"),
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert!(error.contains(accepted), "{text}: {error}");
        }
    }

    #[test]
    fn secrets_of_urls_are_not_shown() {
        let text = "prometheus=https://me:secret@host:9090/write?token=secret";
        let shown = text.parse::<Destination>().unwrap().to_string();
        assert_eq!(shown, "prometheus=https://host:9090/write");
    }
}
