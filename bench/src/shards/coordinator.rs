//! The coordinator's process: reads what its lines say, and answers what they are to do.
//!
//! Each line of its input is a point in time in microseconds and a bundle, which is empty for a wake. It answers
//! with any number of `order` lines, and then with `wake`, or with `done` and the report.

use std::io::{self, BufRead, Write};

use sentinel_engine::bundle::Bundle;
use sentinel_engine::run::{Input, Output, Run, RunConfig, ShardPlan};
use sentinel_engine::tick::{Span, Tick};

use crate::cpu;
use crate::world::{BATCHES, SHARDS, SLICE_S, plan};

pub(crate) fn serve() {
    let config = RunConfig {
        run: "bench".to_owned(),
        epoch_ms: 1_700_000_000_000,
        batches: BATCHES * SHARDS,
        shards: (0..SHARDS)
            .map(|_| ShardPlan {
                batches: BATCHES,
                region: None,
            })
            .collect(),
        slice: Span::from_secs(SLICE_S),
        slots: std::num::NonZeroU16::new(6),
        patience: Span::from_secs(5),
        clock_resolution: Span::from_ms(1),
    };
    let mut run = Run::new(plan(), config);
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line.expect("the world goes on telling");
        let (at, bundle) = line.split_once('\t').expect("a time and a bundle");
        let now = Tick::from_us(at.parse().expect("microseconds"));
        let before = cpu::used_ns();
        let input = if bundle.is_empty() {
            Input::Wake
        } else {
            let bundle: Bundle = serde_json::from_str(bundle).expect("a bundle");
            Input::Bundle(bundle)
        };
        run.handle_input(now, input);
        let mut told = String::new();
        let mut stored = 0;
        loop {
            match run.poll_output() {
                Output::Persist(value) => {
                    let records = value.to_records();
                    stored += records
                        .iter()
                        .map(|record| record.body.len())
                        .sum::<usize>();
                }
                Output::AssignShard(order) => {
                    told.push_str("order\t");
                    told.push_str(&serde_json::to_string(&order).expect("an order"));
                    told.push('\n');
                }
                Output::Publish(_)
                | Output::Assign(_)
                | Output::Adopt { .. }
                | Output::StopLine { .. } => {}
                Output::WakeAt(at) => {
                    told.push_str(&format!("wake\t{}", at.as_us()));
                    break;
                }
                Output::Done(report) => {
                    let ledger = report.result.ledger;
                    told.push_str(&format!(
                        "done\t{} sent, {} holes, {:?}",
                        ledger.sent, report.result.holes_total, report.result.status
                    ));
                    break;
                }
            }
        }
        let used = cpu::used_ns().saturating_sub(before);
        let peak = cpu::peak_kib();
        writeln!(out, "{told}\t{used}\t{stored}\t{peak}")
            .and_then(|()| out.flush())
            .expect("the world listens");
    }
}
