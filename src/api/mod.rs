//! The API: `/api/v1`, the same over the network with bearer tokens and over the data folder's Unix socket. It calls
//! `flow` and holds no rule of its own but who may do what.

pub mod access;
pub mod bodies;
pub mod canaries;
pub mod case;
pub mod deliveries;
pub mod drill;
pub mod evidence;
pub mod gates;
pub mod idempotency;
pub mod inbound;
pub mod incidents;
pub mod index;
pub mod ingest;
pub mod journal;
pub mod long;
pub mod material;
pub mod openapi;
pub mod problem;
pub mod reports;
pub mod routes;
pub mod socket;
pub mod stores;
pub mod system;
pub mod tokens;
