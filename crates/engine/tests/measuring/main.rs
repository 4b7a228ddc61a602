//! What the histograms and Trends tell, held against exact answers.

mod accuracy;
mod correction;
