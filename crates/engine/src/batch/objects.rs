//! What requests to Durable Objects tell about them.
//!
//! The caller of an object is here the load generator itself, so that it is the one who knows how long a call
//! took and whether it failed; docs/telemetry.md leaves that to the caller.

use crate::response::Exchange;
use crate::scenario::DurableObject;
use crate::tick::Span;
use crate::window::{ComponentKind, ComponentWindow, Window};

/// Writes down that a request is sent to an object.
pub(super) fn addressed(window: &mut Window, class: DurableObject, name: &str) {
    window.objects.entry(class).or_default().names.record(name);
}

/// Writes down an object's answer, which `tell` takes the `Server-Timing` of.
pub(super) fn answered(
    window: &mut Window,
    class: DurableObject,
    exchange: &Exchange<'_>,
    took: Span,
    tell: impl FnOnce(&mut Window),
) {
    let before = component(window, class).clone();
    tell(window);
    let component = component(window, class);
    let told = component.calls > before.calls;
    let woke = component.wakes > before.wakes;
    component.calls += u64::from(!told);
    if component.duration_us.count() == before.duration_us.count() {
        component.duration_us.record(took.as_us());
    }
    if component.errors == before.errors {
        component.errors += u64::from(exchange.status >= 500);
    }
    if told {
        let object = window.objects.entry(class).or_default();
        let times = if woke {
            &mut object.woken_us
        } else {
            &mut object.warm_us
        };
        times.record(took.as_us());
    }
}

/// Writes down that an object did not answer.
pub(super) fn failed(window: &mut Window, class: DurableObject) {
    let component = component(window, class);
    component.calls += 1;
    component.errors += 1;
}

fn component(window: &mut Window, class: DurableObject) -> &mut ComponentWindow {
    window.component_mut(class.name(), ComponentKind::DurableObject)
}
