//! Tables of data, and which of their rows an iteration gets.
//!
//! Invariant: which row is dealt depends on the numbers of the user and of its iteration alone, so that
//! however a plan is split, no row is dealt to two of its shares and none is left out.

use crate::random::Random;
use crate::scenario::{DataPer, DataPick};

/// A table of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The name by which templates refer to it.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows, at least one, each with a value for each column.
    pub rows: Vec<Vec<String>>,
    /// How rows are dealt.
    pub pick: DataPick,
    /// To whom rows are dealt.
    pub per: DataPer,
}

/// Whom a row is dealt to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// The plan's seed.
    pub seed: u64,
    /// The place of the table in the plan.
    pub table: u16,
    /// The number of the virtual user.
    pub vu: u32,
    /// The number of the iteration, unlike that of every other iteration of the run.
    pub iteration: u64,
}

impl Table {
    /// The place of the row that is dealt, `None` if each may be dealt once and all are.
    #[must_use]
    pub fn deal(&self, deal: Deal) -> Option<u32> {
        let rows = u64::try_from(self.rows.len()).ok()?;
        let last = rows.checked_sub(1)?;
        let number = match self.per {
            DataPer::Iteration => deal.iteration,
            DataPer::User => u64::from(deal.vu),
        };
        let row = match self.pick {
            DataPick::Sequential => number % rows,
            DataPick::Unique => Some(number).filter(|number| *number <= last)?,
            DataPick::Random => {
                let purpose = number
                    .wrapping_mul(0x1_0001)
                    .wrapping_add(u64::from(deal.table));
                let per = u64::from(self.per == DataPer::User);
                Random::for_purpose(deal.seed ^ DATA_STREAM.wrapping_add(per), purpose)
                    .between(0, last)
            }
        };
        u32::try_from(row).ok()
    }

    /// A value, `None` beyond the table.
    #[must_use]
    pub fn value(&self, row: u32, column: u16) -> Option<&str> {
        let row = self.rows.get(usize::try_from(row).ok()?)?;
        row.get(usize::from(column)).map(String::as_str)
    }
}

/// Keeps these random numbers apart from those of everything else.
const DATA_STREAM: u64 = 0xDA7A_0000_0000_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sorted::SortedSet;

    fn table(rows: usize, pick: DataPick, per: DataPer) -> Table {
        Table {
            name: "t".to_owned(),
            columns: vec!["n".to_owned()],
            rows: (0..rows).map(|n| vec![n.to_string()]).collect(),
            pick,
            per,
        }
    }

    fn deal(vu: u32, iteration: u64) -> Deal {
        Deal {
            seed: 7,
            table: 0,
            vu,
            iteration,
        }
    }

    #[test]
    fn rows_are_dealt_in_order_and_again_or_once() {
        let sequential = table(3, DataPick::Sequential, DataPer::Iteration);
        let rows: Vec<_> = (0..7).filter_map(|n| sequential.deal(deal(0, n))).collect();
        assert_eq!(rows, [0, 1, 2, 0, 1, 2, 0]);
        let unique = table(3, DataPick::Unique, DataPer::Iteration);
        let rows: Vec<_> = (0..5).map(|n| unique.deal(deal(0, n))).collect();
        assert_eq!(rows, [Some(0), Some(1), Some(2), None, None]);
        let own = table(3, DataPick::Unique, DataPer::User);
        assert_eq!(
            [
                own.deal(deal(2, 0)),
                own.deal(deal(2, 99)),
                own.deal(deal(3, 0))
            ],
            [Some(2), Some(2), None]
        );
    }

    #[test]
    fn chance_reaches_every_row_and_repeats_itself() {
        let random = table(5, DataPick::Random, DataPer::Iteration);
        let rows = || {
            (0..200)
                .filter_map(|n| random.deal(deal(0, n)))
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(), rows());
        assert_eq!(rows().into_iter().collect::<SortedSet<_>>().len(), 5);
        let kept = table(5, DataPick::Random, DataPer::User);
        assert_eq!(kept.deal(deal(3, 0)), kept.deal(deal(3, 1)));
    }
}
