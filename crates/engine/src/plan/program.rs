//! From the steps of a file to a program of operations.

use super::flow::delay;
use super::parse::shown;
use super::problem::{Checked, Report};
use super::request::Scope;
use super::socket::{self, Draft};
use super::step;
use super::types::{Op, Step};
use crate::check::CheckId;
use crate::delay::Delay;
use crate::scenario::{DataPick, FlowStep, LoopConfig, RequestStep, SocketStep};
use crate::sorted::SortedSet;
use crate::tick::Span;
use crate::window::StepId;

/// The numbers that are given to the steps and checks of all applications of a plan.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    steps: u16,
    checks: u16,
}

impl Numbers {
    pub(super) fn step(&mut self) -> StepId {
        let id = StepId(self.steps);
        self.steps = self.steps.saturating_add(1);
        id
    }

    pub(super) fn check_id(&mut self) -> CheckId {
        let id = CheckId(self.checks);
        self.checks = self.checks.saturating_add(1);
        id
    }

    /// Reports that there are too many.
    pub(super) fn check(&self, report: &mut Report) -> Checked<()> {
        let mut result = Ok(());
        for (what, count) in [("steps", self.steps), ("checks", self.checks)] {
            if count > COUNTED_MAX {
                result = Err(report.problem(
                    "applications",
                    format_args!("have {count} {what} together: accepted are up to {COUNTED_MAX}"),
                ));
            }
        }
        result
    }
}

/// An application's program, as far as it is written.
#[derive(Debug)]
pub(super) struct Program<'a, 'n> {
    variants: &'a [String],
    scope: &'a Scope<'a>,
    numbers: &'n mut Numbers,
    steps: Vec<Step>,
    ops: Vec<Op>,
    names: SortedSet<String>,
    depth: u32,
    session: Option<Draft>, // of the WebSocket around these steps
}

impl<'a, 'n> Program<'a, 'n> {
    pub(super) const fn new(
        variants: &'a [String],
        scope: &'a Scope<'a>,
        numbers: &'n mut Numbers,
    ) -> Self {
        Self {
            variants,
            scope,
            numbers,
            steps: Vec::new(),
            ops: Vec::new(),
            names: SortedSet::new(),
            depth: 0,
            session: None,
        }
    }

    /// The requests and the operations.
    pub(super) fn finish(self, path: &str, report: &mut Report) -> Checked<(Vec<Step>, Vec<Op>)> {
        if self.ops.len() > OPS_MAX {
            return Err(report.problem(
                path,
                format_args!(
                    "is too long: accepted are up to {OPS_MAX} requests, waits, loops and choices"
                ),
            ));
        }
        Ok((self.steps, self.ops))
    }

    /// Leaves the pause out that nobody asked for.
    pub(super) fn without_pause(&mut self) {
        self.ops.push(Op::Pause(Delay::Constant(Span::ZERO)));
    }

    /// Adds a list of steps.
    pub(super) fn steps(
        &mut self,
        steps: &[FlowStep],
        path: &str,
        report: &mut Report,
    ) -> Checked<()> {
        if self.depth > DEPTH_MAX {
            return Err(report.problem(
                path,
                format_args!("is nested too deeply: accepted are {DEPTH_MAX} levels"),
            ));
        }
        self.depth += 1;
        let mut result = Ok(());
        for (at, step) in steps.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let added = match step {
                FlowStep::Request(step) => self.request(step, &path, report),
                FlowStep::Think(step) => self.think(&step.think, &format!("{path}.think"), report),
                FlowStep::Loop(step) => {
                    self.repeated(&step.repeated, &format!("{path}.loop"), report)
                }
                FlowStep::Socket(step) => self.socket(step, &path, report),
                FlowStep::Send(step) => {
                    self.message(&path, report, |draft, scope, numbers, report| {
                        draft.send(step, &path, scope, numbers, report)
                    })
                }
                FlowStep::Receive(step) => {
                    self.message(&path, report, |draft, scope, numbers, report| {
                        draft.receive(step, &path, scope, numbers, report)
                    })
                }
                FlowStep::Choose(step) => {
                    let arms = step
                        .choose
                        .iter()
                        .map(|arm| (arm.weight, arm.steps.as_slice(), None));
                    self.choose(&arms.collect::<Vec<_>>(), &format!("{path}.choose"), report)
                }
            };
            result = result.and(added);
        }
        self.depth -= 1;
        result
    }

    /// Adds a choice between lists of steps by weight, each with what the user waits after the iteration.
    pub(super) fn choose(
        &mut self,
        arms: &[(f64, &[FlowStep], Option<&str>)],
        path: &str,
        report: &mut Report,
    ) -> Checked<()> {
        if arms.is_empty() {
            return Err(report.problem(path, "is empty: at least one list of steps is needed"));
        }
        let mut result = Ok(());
        let sum: f64 = arms.iter().map(|(weight, _, _)| weight).sum();
        let choice = self.ops.len();
        self.ops.push(Op::Choose(Vec::new()));
        let mut starts = Vec::new();
        let mut jumps = Vec::new();
        for (at, (weight, steps, pause)) in arms.iter().enumerate() {
            let path = format!("{path}[{at}]");
            if !(*weight > 0.0 && *weight <= WEIGHT_MAX) {
                result = Err(report.problem(
                    format!("{path}.weight"),
                    format_args!(
                        "{weight} is not a weight: accepted are numbers above 0 up to {WEIGHT_MAX}"
                    ),
                ));
            }
            starts.push((weight / sum, self.here()));
            result = result.and(self.steps(steps, &format!("{path}.steps"), report));
            if let Some(pause) = pause {
                match delay(pause, &format!("{path}.delay"), report) {
                    Ok(pause) => self.ops.push(Op::Pause(pause)),
                    Err(reported) => result = Err(reported),
                }
            }
            jumps.push(self.ops.len());
            self.ops.push(Op::Jump(0));
        }
        let end = self.here();
        self.patch(choice, Op::Choose(starts));
        for jump in jumps {
            self.patch(jump, Op::Jump(end));
        }
        result
    }

    fn request(&mut self, written: &RequestStep, path: &str, report: &mut Report) -> Checked<()> {
        let mut result = Ok(());
        if !self.names.insert(written.name.clone()) {
            let message = format!("{} is the name of two steps", shown(&written.name));
            result = Err(report.problem(format!("{path}.name"), message));
        }
        let parsed = step::parse(
            written,
            path,
            "request",
            self.variants,
            self.scope,
            self.numbers,
            report,
        );
        let think = written.think.as_deref();
        let think = think
            .map(|text| delay(text, &format!("{path}.think"), report))
            .transpose();
        match parsed {
            Ok(step) => {
                self.ops.push(Op::Request(place(self.steps.len())));
                self.steps.push(step);
            }
            Err(reported) => result = Err(reported),
        }
        self.ops.extend(think?.map(Op::Think));
        result
    }

    fn socket(&mut self, written: &SocketStep, path: &str, report: &mut Report) -> Checked<()> {
        if self.session.is_some() {
            let message = "a session inside of a session: one WebSocket is open at a time";
            return Err(report.problem(format!("{path}.ws"), message));
        }
        let mut result = Ok(());
        if !self.names.insert(written.name.clone()) {
            let message = format!("{} is the name of two steps", shown(&written.name));
            result = Err(report.problem(format!("{path}.name"), message));
        }
        let (step, draft) = socket::open(written, path, self.scope, self.numbers, report);
        self.session = Some(draft);
        let at = self.steps.len();
        let open = self.ops.len();
        self.ops.push(Op::Jump(0)); // until the end is known
        match step {
            Ok(step) => self.steps.push(step),
            Err(reported) => result = Err(reported),
        }
        result = result.and(self.steps(&written.ws.steps, &format!("{path}.ws.steps"), report));
        self.ops.push(Op::Close);
        let (step, end) = (place(at), self.here());
        self.patch(open, Op::Open { step, end });
        if let (Some(step), Some(draft)) = (self.steps.get_mut(at), self.session.take()) {
            step.socket = Some(Box::new(draft.finish()));
        }
        result
    }

    /// Adds something that is done on the WebSocket around it.
    fn message(
        &mut self,
        path: &str,
        report: &mut Report,
        add: impl FnOnce(&mut Draft, &Scope<'_>, &mut Numbers, &mut Report) -> Checked<u16>,
    ) -> Checked<()> {
        let Some(draft) = &mut self.session else {
            let message = "\"send\" and \"receive\" stand in the steps of a \"ws\"";
            return Err(report.problem(path, message));
        };
        let at = add(draft, self.scope, self.numbers, report)?;
        self.ops.push(Op::Message(at));
        Ok(())
    }

    fn think(&mut self, text: &str, path: &str, report: &mut Report) -> Checked<()> {
        self.ops.push(Op::Think(delay(text, path, report)?));
        Ok(())
    }

    fn repeated(&mut self, config: &LoopConfig, path: &str, report: &mut Report) -> Checked<()> {
        let turns = self.turns(config, path, report);
        let mut result = Ok(());
        if config.steps.is_empty() {
            result = Err(report.problem(
                format!("{path}.steps"),
                "is empty: at least one step is needed",
            ));
        }
        let start = self.ops.len();
        self.ops.push(Op::Jump(0)); // until the end is known
        let again = self.here();
        if let Ok((_, Some(table))) = turns {
            self.ops.push(Op::Row(table));
        }
        result = result.and(self.steps(&config.steps, &format!("{path}.steps"), report));
        self.ops.push(Op::Again(again));
        let (times, _) = turns?;
        self.patch(
            start,
            Op::Loop {
                times,
                end: self.here(),
            },
        );
        result
    }

    /// How many turns a loop has, and over which table it goes.
    fn turns(
        &self,
        config: &LoopConfig,
        path: &str,
        report: &mut Report,
    ) -> Checked<(u32, Option<u16>)> {
        match (config.times, config.over.as_deref()) {
            (Some(times), None) => match u32::try_from(times) {
                Ok(times @ 1..=TIMES_MAX) => Ok((times, None)),
                _ => Err(report.problem(
                    format!("{path}.times"),
                    format_args!("{times} turns are not possible: accepted are 1 to {TIMES_MAX}"),
                )),
            },
            (None, Some(name)) => {
                let tables = self.scope.names.tables;
                let Some(at) = tables.iter().position(|table| table.name == name) else {
                    let known = tables
                        .iter()
                        .map(|table| table.name.as_str())
                        .collect::<Vec<_>>();
                    let message = format!(
                        "unknown table {}: known are [{}]",
                        shown(name),
                        known.join(", ")
                    );
                    return Err(report.problem(format!("{path}.over"), message));
                };
                let table = tables
                    .get(at)
                    .filter(|table| table.pick != DataPick::Unique);
                let rows = table.and_then(|table| u32::try_from(table.rows.len()).ok());
                let Some(rows) = rows else {
                    let message = "goes through all rows of a table whose rows are dealt once each";
                    return Err(report.problem(format!("{path}.over"), message));
                };
                Ok((rows, Some(place(at))))
            }
            _ => Err(report.problem(
                path,
                "needs exactly one of \"times\", a number, and \"over\", the name of a table",
            )),
        }
    }

    fn here(&self) -> u16 {
        place(self.ops.len())
    }

    fn patch(&mut self, at: usize, op: Op) {
        if let Some(slot) = self.ops.get_mut(at) {
            *slot = op;
        }
    }
}

/// Longer programs are refused in the end, so that no place of one that is accepted is wrong.
pub(super) fn place(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// Each step and each check is a row of results, and a part of every message of every second.
const COUNTED_MAX: u16 = 256;

const OPS_MAX: usize = 4_096;

const DEPTH_MAX: u32 = 8;

const TIMES_MAX: u32 = 1_000_000;

const WEIGHT_MAX: f64 = 1e9;
