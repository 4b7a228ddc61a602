//! The called side of a line, which a batch and a shard have in common: a driver that hears whoever started it, tells
//! what it measures, and is woken by one timer.
//!
//! Invariant: what JavaScript calls holds the driver weakly, so that everything is freed when its slice is over.

use std::rc::Weak;

use sentinel_engine::tick::Tick;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::Closure;

use crate::clock::RunClock;
use crate::js::{Port, clear_timeout, function, set_timeout};
use crate::limits::{LINE_BYTES_MAX, UNREAD_BYTES_MAX};

/// A driver that somebody has called.
pub(crate) trait Called: 'static {
    /// The caller says what is to be played, or later what has become known meanwhile.
    fn hear(&self, said: &str);

    /// The caller is still there.
    fn lease(&self);

    /// The caller wants no more to be sent.
    fn stop(&self);

    /// The caller is gone.
    fn deserted(&self);

    /// The timer has fired.
    fn woken(&self);
}

/// Whoever has called a driver, and what wakes the driver.
pub(crate) struct Caller {
    port: Port,
    wake: Closure<dyn Fn()>,
    // Held so that the port can call them.
    _line: Closure<dyn Fn(String)>,
    _gone: Closure<dyn Fn()>,
}

impl Caller {
    /// The caller who speaks in `body`, until `signal` or its end says that it is gone.
    pub(crate) fn new<D: Called>(driver: &Weak<D>, body: &JsValue, signal: &JsValue) -> Self {
        let (on_line, on_gone, on_wake) = (driver.clone(), driver.clone(), driver.clone());
        let line = Closure::<dyn Fn(String)>::new(move |line: String| {
            with(&on_line, |driver| match line.as_str() {
                "beat" => driver.lease(),
                "stop" => driver.stop(),
                said => driver.hear(said),
            });
        });
        let gone = Closure::<dyn Fn()>::new(move || with(&on_gone, D::deserted));
        Self {
            port: Port::new(
                body,
                signal,
                LINE_BYTES_MAX as f64,
                function(&line),
                function(&gone),
            ),
            wake: Closure::new(move || with(&on_wake, D::woken)),
            _line: line,
            _gone: gone,
        }
    }

    /// The line itself.
    pub(crate) const fn port(&self) -> &Port {
        &self.port
    }

    /// Tells the caller something; answers whether there is still somebody who listens.
    pub(crate) fn tell(&self, what: &impl Serialize) -> bool {
        let Ok(line) = crate::json::write(what) else {
            return false;
        };
        (0.0..=UNREAD_BYTES_MAX).contains(&self.port.ship(&line))
    }

    /// Wakes the driver at `tick`, unless it is woken before that anyway: waking for nothing changes nothing.
    pub(crate) fn wake_at(&self, timer: &mut Timer, clock: &mut RunClock, tick: Tick) {
        if timer.0.as_ref().is_some_and(|(_, at)| *at <= tick) {
            return;
        }
        self.wake_in(timer, clock.ms_until(tick), tick);
    }

    /// Wakes the driver after this many milliseconds, which it takes for `tick`.
    pub(crate) fn wake_in(&self, timer: &mut Timer, ms: u64, tick: Tick) {
        timer.clear();
        timer.0 = Some((set_timeout(function(&self.wake), ms as f64), tick));
    }
}

/// What is to wake a driver next; nothing any more when this is dropped.
#[derive(Default)]
pub(crate) struct Timer(Option<(JsValue, Tick)>);

impl Timer {
    /// It has fired.
    pub(crate) fn fired(&mut self) {
        self.0 = None;
    }

    fn clear(&mut self) {
        if let Some((timer, _)) = self.0.take() {
            clear_timeout(&timer);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Lets a driver act, if it is still there.
pub(crate) fn with<D>(driver: &Weak<D>, act: impl FnOnce(&D)) {
    if let Some(driver) = driver.upgrade() {
        act(&driver);
    }
}
