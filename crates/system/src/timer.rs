//! Waiting until a moment, to within a fraction of a millisecond where the system can.
//!
//! tokio's timers move in steps of a millisecond, rounded up: what is due at the same step is sent at once and late,
//! which a target that is asked some thousand times a second answers with a queue. Linux has timers that are files,
//! whose steps are those of its clock. Invariant: it is never over before the moment.

use std::io;
use std::time::Instant;

pub use system::Timer;

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::OwnedFd;

    use rustix::io::{Errno, read};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;
    use tokio::task::yield_now;

    use super::{Instant, io};

    /// A timer that one task waits for.
    #[derive(Debug)]
    pub struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        /// A timer, within a runtime.
        ///
        /// # Errors
        /// When the process may open no further file.
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for files that may be closed meanwhile: an `OwnedFd` is not"
        )]
        pub fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let file = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self(AsyncFd::new(file)?))
        }

        /// Waits. Whoever stops waiting may wait for another moment.
        ///
        /// # Errors
        /// When the system takes the timer away.
        pub async fn until(&self, due: Instant) -> io::Result<()> {
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    // Whoever is always late must let others in all the same.
                    yield_now().await;
                    return Ok(());
                }
                // A moment that is too far away for the system is waited for in pieces.
                let once = Itimerspec {
                    it_interval: Timespec::default(),
                    it_value: left.min(LONGEST).try_into().unwrap_or_default(),
                };
                timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
                let mut ready = self.0.readable().await?;
                let mut count = [0; size_of::<u64>()];
                match read(self.0.get_ref(), &mut count) {
                    Ok(_) if Instant::now() >= due => return Ok(()),
                    Ok(_) => {}
                    // It was ready for an earlier moment.
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    const LONGEST: std::time::Duration = std::time::Duration::from_secs(86_400);
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Instant, io};

    /// A timer that one task waits for.
    #[derive(Debug)]
    pub struct Timer;

    impl Timer {
        /// A timer.
        ///
        /// # Errors
        /// Never.
        pub const fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Waits. Whoever stops waiting may wait for another moment.
        ///
        /// # Errors
        /// Never.
        pub async fn until(&self, due: Instant) -> io::Result<()> {
            tokio::time::sleep_until(due.into()).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_is_never_over_before_its_moment() {
        let timer = Timer::new().expect("a timer");
        for us in [0, 1, 50, 900, 1_100, 5_000] {
            let due = Instant::now() + Duration::from_micros(us);
            timer.until(due).await.expect("it waits");
            assert!(Instant::now() >= due, "{us} µs");
        }
    }

    #[tokio::test]
    async fn whoever_stops_waiting_may_wait_for_another_moment() {
        let timer = Timer::new().expect("a timer");
        let never = Instant::now() + Duration::from_secs(1_000_000_000);
        for _ in 0..3 {
            let soon = Duration::from_millis(1);
            let given_up = tokio::time::timeout(soon, timer.until(never)).await;
            assert!(given_up.is_err());
            // Also one that was over meanwhile.
            let passed = Instant::now() + Duration::from_micros(10);
            let _ = tokio::time::timeout(Duration::ZERO, timer.until(passed)).await;
            let due = Instant::now() + Duration::from_millis(3);
            timer.until(due).await.expect("it waits");
            assert!(Instant::now() >= due);
        }
    }
}
