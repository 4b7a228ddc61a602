//! placeholder
use crate::window::Window;
/// placeholder
pub fn record(_header: &str, _window: &mut Window) {}
