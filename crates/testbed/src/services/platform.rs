//! Which platform is served, and how a request finds what answers it.

use std::sync::Arc;

use hyper::StatusCode;

use super::chat::{self, Chat};
use super::fault::{Faults, How, NoFault};
use super::missions::{self, Missions};
use super::reply::{Call, Reply};
use super::sidepanel::{self, Sidepanel};

/// A platform that can be served instead of the behaviours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Service {
    /// A server of missions and specs, with a WebSocket that tells what becomes of missions.
    Missions,
    /// A side panel: JSON-RPC 2.0 over a WebSocket.
    Sidepanel,
    /// A chat runtime that streams its answers.
    Chat,
}

/// A platform with its state.
#[derive(Debug)]
pub(crate) struct Platform {
    faults: Arc<Faults>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Missions(Missions),
    Sidepanel(Sidepanel),
    Chat(Chat),
}

impl Platform {
    /// A platform in which nothing has happened yet.
    pub(crate) fn new(service: Service) -> Self {
        let operations = match service {
            Service::Missions => missions::OPERATIONS,
            Service::Sidepanel => sidepanel::OPERATIONS,
            Service::Chat => chat::OPERATIONS,
        };
        let faults = Arc::new(Faults::new(operations));
        let shared = Arc::clone(&faults);
        let kind = match service {
            Service::Missions => Kind::Missions(Missions::new(shared)),
            Service::Sidepanel => Kind::Sidepanel(Sidepanel::new(shared)),
            Service::Chat => Kind::Chat(Chat::new(shared)),
        };
        Self { faults, kind }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, call: Call<'_>) -> Reply {
        let operation = match &self.kind {
            Kind::Missions(_) => missions::operation(&call),
            Kind::Sidepanel(_) => sidepanel::operation(&call),
            Kind::Chat(_) => chat::operation(&call),
        };
        let operation = match operation {
            Ok(operation) => operation,
            Err(refusal) => return refusal,
        };
        let garbles = match self.faults.strike(operation).await {
            None => false,
            Some(How::Garble) => true,
            Some(How::Mute) => return Reply::Mute,
            Some(How::Drop) => return Reply::Drop,
            Some(How::Fail) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return Reply::error(status, "it fails as it was told to");
            }
        };
        let reply = match &self.kind {
            Kind::Missions(missions) => missions.answer(operation, &call),
            Kind::Sidepanel(sidepanel) => sidepanel.answer(operation, &call),
            Kind::Chat(chat) => chat.answer(operation, &call),
        };
        if garbles { reply.garbled() } else { reply }
    }

    /// From now on an operation goes wrong as the query says.
    pub(crate) fn disturb(&self, operation: &str, query: &str) -> Result<(), NoFault> {
        self.faults.set(operation, query)
    }

    /// From now on nothing goes wrong on purpose.
    pub(crate) fn heal(&self) {
        self.faults.clear();
    }
}
