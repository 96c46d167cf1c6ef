//! What a client presents to log in: reported, waited for, and refused, with the same ways left to try whoever it was.

use crate::sensors::{credentials::Credentials, door::visitor::Presenting, ssh::methods};
use russh::{
    keys::HashAlg,
    server::{Auth, Handler, PublicKeyOffer, Response},
};
use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// A user name that nothing was presented with yet.
#[derive(Clone, Default)]
pub struct Unfinished(Arc<Mutex<Option<String>>>);

impl Unfinished {
    /// Puts this name there; the one that it takes the place of, if that is another than `tried`.
    fn replace(&self, name: Option<&str>, tried: &str) -> Option<Credentials> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *kept, name.map(str::to_owned));
        before.filter(|before| before != tried).map(|username| Credentials { username, password: None })
    }

    /// What is left of a session.
    pub fn take(&self) -> Option<Credentials> {
        let name = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Credentials { username: name, password: None })
    }
}

/// One client's logins.
pub struct Attempts {
    presenting: Presenting,
    unfinished: Unfinished,
    notice: Option<String>,
    /// Cancelled once the keys are exchanged.
    begun: CancellationToken,
}

impl Attempts {
    /// Of a client that has said nothing yet.
    pub fn new(
        presenting: Presenting,
        unfinished: Unfinished,
        notice: Option<String>,
        begun: CancellationToken,
    ) -> Self {
        Attempts { presenting, unfinished, notice, begun }
    }

    /// Keeps a name that nothing was presented with yet; another that stood there was tried, too.
    async fn told(&self, username: &str) {
        if let Some(before) = self.unfinished.replace(Some(username), username) {
            self.presenting.present("none", &before).await;
        }
    }

    async fn refuse(&self, way: &str, username: &str, password: Option<String>) -> Result<Auth, russh::Error> {
        if let Some(before) = self.unfinished.replace(None, username) {
            self.presenting.present("none", &before).await;
        }
        let credentials = Credentials { username: username.to_owned(), password };
        self.presenting.present(way, &credentials).await;
        Ok(refused())
    }
}

fn refused() -> Auth {
    Auth::Reject { proceed_with_methods: Some(methods()), partial_success: false }
}

impl Handler for Attempts {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, russh::Error> {
        self.told(user).await;
        Ok(refused())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        self.refuse("password", user, Some(password.to_owned())).await
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        let fingerprint = offer.public_key.fingerprint(HashAlg::Sha256);
        self.refuse(&format!("publickey {} {fingerprint}", offer.public_key.algorithm()), user, None).await
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut response) = response else {
            self.told(user).await;
            return Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Borrowed(&[(Cow::Borrowed("Password: "), false)]),
            });
        };
        let password = response.next().map(|answer| String::from_utf8_lossy(&answer).into_owned());
        self.refuse("keyboard-interactive", user, password).await
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        // It is asked for as soon as a client wants to log in.
        self.begun.cancel();
        Ok(self.notice.as_ref().map(|notice| format!("{}\n", notice.trim_end())))
    }
}
