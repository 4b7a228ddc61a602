//! Numbers for reading.

/// What stands where there is no number.
const NOTHING: &str = "–";

/// With one decimal place.
pub(crate) fn tenths(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.1}"))
}

/// With two decimal places.
pub(crate) fn hundredths(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.2}"))
}

/// A fraction, in percent.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || NOTHING.to_owned(),
        |share| format!("{:.2} %", share * 100.0),
    )
}

/// A number of unknown size: at most four decimal places, none without need.
pub(crate) fn plain(value: Option<f64>) -> String {
    value.map_or_else(
        || "no data".to_owned(),
        |value| {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_more_places_than_they_need() {
        assert_eq!(plain(Some(500.0)), "500");
        assert_eq!(plain(Some(0.05)), "0.05");
        assert_eq!(plain(Some(1.0 / 3.0)), "0.3333");
        assert_eq!(plain(None), "no data");
        assert_eq!(percent(Some(0.0123)), "1.23 %");
        assert_eq!(tenths(None), "–");
    }
}
