//! The scenario's own metrics: which steps feed them, and with what.

use super::builtin::{Event, Measure};
use crate::check::CheckId;
use crate::metric::MetricId;
use crate::scenario::MeasuredValue;
use crate::template::VariableId;
use crate::window::StepId;

/// What feeds a metric: each request of a step that came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    pub(crate) metric: MetricId,
    pub(crate) step: StepId,
    pub(super) check: Option<CheckId>, // then of the check, not of the request
    pub(super) measure: Measure,
}

impl Feed {
    /// A metric fed with a value that every request has.
    #[must_use]
    pub const fn of_value(metric: MetricId, step: StepId, value: MeasuredValue) -> Self {
        let measure = match value {
            MeasuredValue::Count => Measure::Count,
            MeasuredValue::Failed => Measure::Failed,
            MeasuredValue::Succeeded => Measure::Succeeded,
            MeasuredValue::ResponseTime => Measure::Response,
            MeasuredValue::ServiceTime => Measure::Service,
            MeasuredValue::Status => Measure::Status,
            MeasuredValue::BytesReceived => Measure::Bytes,
        };
        Self {
            metric,
            step,
            check: None,
            measure,
        }
    }

    /// A metric fed with the number that the step extracts into a variable.
    #[must_use]
    pub const fn of_variable(metric: MetricId, step: StepId, variable: VariableId) -> Self {
        Self {
            metric,
            step,
            check: None,
            measure: Measure::Variable(variable),
        }
    }

    /// A metric fed with 1 where a check of the step passes, and with 0 where it does not.
    #[must_use]
    pub const fn of_check(metric: MetricId, step: StepId, check: CheckId) -> Self {
        Self {
            metric,
            step,
            check: Some(check),
            measure: Measure::Succeeded,
        }
    }

    pub(super) const fn event(&self) -> Event {
        if self.check.is_some() {
            Event::Checked
        } else {
            Event::Ended
        }
    }
}
