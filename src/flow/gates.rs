//! Gates: the filters that login endpoints hold, and what comes of their answers. An endpoint's key follows from the root
//! secret and its name. The index knows every canary's password by its digest under each endpoint's key, so that an
//! event from there names the canary whose password it was, and no password leaves the endpoint.

use crate::{
    flow::{context::Context, error::FlowError},
    journal::keyring::Keyring,
};
use canaries::{
    Marker, MarkerKind,
    index::{Index, Match, Owner},
};
use data_encoding::HEXLOWER_PERMISSIVE;
use gate::{Builder, GateKey};

/// Ghosts, and canaries, that the index learns at once: in between it answers.
const AT_ONCE: u32 = 5000;

/// A filter file that was built.
pub struct Built {
    pub file: Vec<u8>,
    /// Names that it knows, those of ghosts among them.
    pub names: u32,
}

/// The key of the endpoint of this name.
pub fn key(keyring: &Keyring, endpoint: &str) -> GateKey {
    GateKey::new(keyring.derive(&format!("gate {endpoint}")))
}

/// The keys of all endpoints that have a filter.
pub fn keys(context: &Context) -> Result<Vec<GateKey>, FlowError> {
    Ok(context.ledger.gates()?.iter().map(|endpoint| key(&context.keyring, endpoint)).collect())
}

/// The filter file of this endpoint: every name under which a canary or a ghost may log in.
///
/// # Errors
/// Those of the ledger and the journal; a name that no endpoint has.
pub fn build(context: &Context, endpoint: &str) -> anyhow::Result<Built> {
    context.settle()?;
    let key = key(&context.keyring, endpoint);
    let mut builder = Builder::new(key.clone());
    let mut add =
        |markers: &[Marker]| markers.iter().filter(|marker| is_name(marker)).for_each(|name| builder.add(&name.value));
    for row in context.ledger.placements(None)? {
        let contents = context.ledger.contents(&context.journal, row.placement.canary)?;
        add(&contents.map(|contents| contents.markers).unwrap_or_default());
    }
    (0..context.ghosts).for_each(|number| add(&[context.minter.ghost(number)]));
    let made_at = u64::try_from(context.now().as_second()).unwrap_or_default();
    let file = builder.write(endpoint, made_at)?;
    let names = gate::Gate::open(&file, &key)?.names();
    Ok(Built { file, names })
}

fn is_name(marker: &Marker) -> bool {
    matches!(marker.kind, MarkerKind::Username | MarkerKind::WorkEmail | MarkerKind::PersonalEmail)
}

/// Brings every canary's and ghost's password into the index, by its digest under the key of each endpoint.
pub fn fill(context: &Context) -> anyhow::Result<()> {
    fill_under(context, &keys(context)?)
}

/// The same for one endpoint, which is new.
pub fn fill_for(context: &Context, endpoint: &str) -> anyhow::Result<()> {
    fill_under(context, &[key(&context.keyring, endpoint)])
}

fn fill_under(context: &Context, gates: &[GateKey]) -> anyhow::Result<()> {
    if gates.is_empty() {
        return Ok(());
    }
    let known = |some: Vec<(Owner, Vec<Marker>)>| {
        let mut index = context.index.write().expect("no thread panics while it holds the index");
        some.iter().for_each(|(owner, markers)| learn(&mut index, gates, *owner, markers));
    };
    for some in context.ledger.placements(None)?.chunks(AT_ONCE as usize) {
        let mut read = Vec::with_capacity(some.len());
        for row in some {
            let contents = context.ledger.contents(&context.journal, row.placement.canary)?;
            read.extend(contents.map(|contents| (Owner::Canary(row.placement.seen_as()), contents.markers)));
        }
        known(read);
    }
    // Ghosts go last, as everywhere: one whose value a canary bears gives way.
    for start in (0..context.ghosts).step_by(AT_ONCE as usize) {
        let numbers = start..context.ghosts.min(start.saturating_add(AT_ONCE));
        known(numbers.map(|number| (Owner::Ghost(number), vec![context.minter.ghost(number)])).collect());
    }
    Ok(())
}

/// The index learns the passwords among these markers, by their digests under each of the keys.
pub fn learn(index: &mut Index, gates: &[GateKey], owner: Owner, markers: &[Marker]) {
    for password in markers.iter().filter(|marker| marker.kind == MarkerKind::Password) {
        for gate in gates {
            let fingerprint = index.key().hmac(&gate.password_mac(&password.value));
            index.insert(fingerprint, owner, MarkerKind::Password, None);
        }
    }
}

/// Whose password this is, by its digest under some endpoint's key.
pub fn recognise(index: &Index, hmac: &str) -> Vec<Match> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hmac.as_bytes()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.and_then(|hmac| index.recognise_hmac(&hmac)).into_iter().collect()
}
