//! Reaching the directory: the address, TLS, the bind, what the server can do, and searches. A connection lives as long
//! as one operation.

use crate::{
    domain::{
        secret::{Address, Secret},
        section::SectionError,
    },
    stores::{
        ldap::{
            answer,
            refusal::{self, Place},
            schema::Schema,
        },
        store::StoreError,
    },
};
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, ResultEntry, Scope, SearchEntry,
    adapters::{Adapter, EntriesOnly, PagedResults},
    result::SearchResult,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(60);
const PAGE: i32 = 500;
const PAGED: &str = "1.2.840.113556.1.4.319";
const ASSERTION: &str = "1.3.6.1.1.12";

/// Where the directory is, and as whom we come.
pub struct Endpoint {
    address: Address,
    starttls: bool,
    authority: Option<PathBuf>,
    bind: Option<String>,
    password: Option<Secret>,
}

impl Endpoint {
    /// Checks what can be checked without reaching anything.
    pub fn new(
        address: Address,
        starttls: bool,
        authority: Option<PathBuf>,
        bind: Option<String>,
        password: Option<Secret>,
    ) -> Result<Self, SectionError> {
        let scheme = url::Url::parse(address.reveal()).map(|url| url.scheme().to_owned()).unwrap_or_default();
        if !["ldap", "ldaps"].contains(&scheme.as_str()) {
            return Err(SectionError::new("url", "expected ldap://host:389 or ldaps://host:636"));
        }
        if starttls && scheme == "ldaps" {
            return Err(SectionError::new("starttls", "ldaps:// is TLS already; leave one of the two out"));
        }
        // A bind with a name and no password succeeds on some servers, as nobody.
        if bind.is_some() != password.as_ref().is_some_and(|password| !password.reveal().is_empty()) {
            return Err(SectionError::new("password", "bind and password go together"));
        }
        Ok(Endpoint { address, starttls, authority, bind, password })
    }

    /// The address, for messages.
    pub fn host(&self) -> String {
        self.address.host()
    }

    /// Connects, binds, and asks what the server can do.
    pub async fn open(&self, base: &str) -> Result<Session, StoreError> {
        let place = Place { host: self.host(), base: base.to_owned() };
        let mut settings = LdapConnSettings::new().set_conn_timeout(CONNECT).set_starttls(self.starttls);
        if let Some(config) = self.trust()? {
            settings = settings.set_config(config);
        }
        let opening = LdapConnAsync::with_settings(settings, self.address.reveal());
        let (connection, mut ldap) = match tokio::time::timeout(CONNECT, opening).await {
            Ok(opened) => opened.map_err(|error| refusal::judge(&place, &error, &[]))?,
            Err(_) => {
                let message =
                    format!("{}: no connection within 5 s; is the server running, and reachable?", place.host);
                return Err(StoreError::Retry(message));
            }
        };
        // Ends by itself when the last handle is dropped; its error reaches whoever waits for an answer.
        tokio::spawn(connection.drive());
        if let (Some(bind), Some(password)) = (&self.bind, &self.password) {
            let answer = ldap.with_timeout(ANSWER).simple_bind(bind, password.reveal()).await;
            answer.and_then(|answer| answer.success()).map_err(|error| refusal::judge(&place, &error, &[]))?;
        }
        let mut session = Session { ldap, place, paged: false, asserts: false, schema: Schema::default() };
        session.look_around().await?;
        Ok(session)
    }

    fn trust(&self) -> Result<Option<Arc<ClientConfig>>, StoreError> {
        let Some(path) = &self.authority else { return Ok(None) };
        let unusable = |why: String| StoreError::Refused(format!("{}: ca {}: {why}", self.host(), path.display()));
        let mut roots = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unusable(format!("is not PEM: {error}")))?;
            roots.add(certificate).map_err(|error| unusable(format!("holds no authority: {error}")))?;
        }
        if roots.is_empty() {
            return Err(unusable("holds no certificate".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(Arc::new(config)))
    }
}

/// A bound connection.
pub struct Session {
    ldap: Ldap,
    pub place: Place,
    paged: bool,
    /// Whether the server takes an assertion with a change (RFC 4528).
    pub asserts: bool,
    pub schema: Schema,
}

impl Session {
    /// The handle, with the time limit of one answer set.
    pub fn handle(&mut self) -> &mut Ldap {
        self.ldap.with_timeout(ANSWER)
    }

    async fn look_around(&mut self) -> Result<(), StoreError> {
        let wanted = ["supportedControl", "subschemaSubentry"];
        let Some(root) = self.entry("", "(objectClass=*)", &wanted).await? else { return Ok(()) };
        let named = |wanted: &'static str| {
            root.attrs.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).flat_map(|(_, values)| values)
        };
        self.paged = named("supportedControl").any(|control| control == PAGED);
        self.asserts = named("supportedControl").any(|control| control == ASSERTION);
        if let Some(place) = named("subschemaSubentry").next().cloned() {
            let schema = self.entry(&place, "(objectClass=*)", &["attributeTypes", "objectClasses"]).await?;
            self.schema = schema.map(|schema| Schema::parse(&schema)).unwrap_or_default();
        }
        Ok(())
    }

    /// The entry at this place, if it is there and matches.
    pub async fn entry(&mut self, dn: &str, filter: &str, wanted: &[&str]) -> Result<Option<SearchEntry>, StoreError> {
        let answer = self.handle().search(dn, Scope::Base, filter, wanted.to_vec()).await;
        let SearchResult(mut found, result) = answer.map_err(|error| refusal::judge(&self.place, &error, &[]))?;
        match result.rc {
            0 => found.pop().map(|found| self.read(found)).transpose(),
            32 => Ok(None),
            _ => Err(refusal::answered(&self.place, &result, &[])),
        }
    }

    /// The entries below the base that match, `most` of them at most.
    pub async fn some(&mut self, filter: &str, wanted: &[&str], most: i32) -> Result<Vec<SearchEntry>, StoreError> {
        let base = self.place.base.clone();
        let options = ldap3::SearchOptions::new().sizelimit(most);
        let search = self.handle().with_search_options(options).search(&base, Scope::Subtree, filter, wanted.to_vec());
        let SearchResult(found, result) = search.await.map_err(|error| refusal::judge(&self.place, &error, &[]))?;
        match result.rc {
            // The limit is our own: that there are more is known well enough.
            0 | 4 => found.into_iter().map(|found| self.read(found)).collect(),
            _ => Err(refusal::answered(&self.place, &result, &[])),
        }
    }

    fn read(&self, found: ResultEntry) -> Result<SearchEntry, StoreError> {
        answer::entry(found).map_err(|why| unreadable(&self.place, &why))
    }

    /// Shows every entry below the base that matches, page by page where the server can.
    pub async fn each(
        &mut self,
        filter: &str,
        wanted: Vec<String>,
        visit: &mut (dyn FnMut(SearchEntry) + Send),
    ) -> Result<(), StoreError> {
        let base = self.place.base.clone();
        let mut adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> = vec![Box::new(EntriesOnly::new())];
        if self.paged {
            adapters.push(Box::new(PagedResults::new(PAGE)));
        }
        let opening = self.handle().streaming_search_with(adapters, &base, Scope::Subtree, filter, wanted).await;
        let mut stream = opening.map_err(|error| refusal::judge(&self.place, &error, &[]))?;
        while let Some(found) = stream.next().await.map_err(|error| refusal::judge(&self.place, &error, &[]))? {
            visit(answer::entry(found).map_err(|why| unreadable(&self.place, &why))?);
        }
        match stream.finish().await {
            result if result.rc == 0 => Ok(()),
            result => Err(refusal::answered(&self.place, &result, &[])),
        }
    }
}

fn unreadable(place: &Place, why: &str) -> StoreError {
    place.refused(format!("an entry of the answer cannot be read: {why}; let the directory's owner put it right"))
}
