//! Webhooks, both ways: keys and signatures, the retry schedule, the address guard, one guarded POST, and payload
//! templates. Knows no canary and no incident: what is sent comes in as bytes or JSON.

mod client;
mod guard;
mod keys;
mod markdown;
pub mod oauth;
mod schedule;
mod sign;
mod templates;
mod text;
mod tls;
mod verify;

pub use client::{Answer, Client, Method, PostError};
pub use guard::{Guard, Lookup, Refusal, SystemLookup, Vetted, split_host_port};
pub use keys::{HmacKey, KeyError, PublicKey, SigningKey};
pub use schedule::{Judgement, Schedule, judge};
pub use sign::{SignError, Signed, Signer};
pub use templates::{Markup, TemplateError, Templates};
pub use text::{clean, clip};
pub use tls::{Identity, TlsError, connect_tls, tls_config, trusted_certificates};
pub use verify::{TOLERANCE, Verifier, VerifyError};
