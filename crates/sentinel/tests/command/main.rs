//! The command `sentinel` as its users meet it: a program with arguments, output and an exit code, against a
//! target that keeps its own count.

mod ci;
mod compares;
mod dashboards;
mod errors;
mod freezes;
mod httpbin;
mod imports;
mod interrupts;
mod lab;
mod manual;
mod outputs;
mod plans;
mod profiles;
mod progress;
mod proxy;
mod readers;
mod real;
mod receivers;
mod redirects;
mod refused;
mod remote;
mod runs;
mod server;
mod sockets;
mod streams;
mod suites;
mod transport;
