//! How the decoy login page may look: one row and one template a skin. None bears a name or a sign of anybody but the house.

/// A look.
pub struct Skin {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The template.
    pub page: &'static str,
    /// What the page is called, unless the house calls it otherwise.
    pub french: &'static str,
    pub english: &'static str,
}

/// Every skin; the first is the usual one.
pub const SKINS: &[Skin] = &[
    Skin {
        name: "portal",
        page: include_str!("skins/portal.html"),
        french: "Espace agent",
        english: "Employee portal",
    },
    Skin { name: "webmail", page: include_str!("skins/webmail.html"), french: "Messagerie", english: "Webmail" },
    Skin { name: "vpn", page: include_str!("skins/vpn.html"), french: "Accès distant", english: "Remote access" },
];

/// The skin of this name.
pub fn named(name: &str) -> Option<&'static Skin> {
    SKINS.iter().find(|skin| skin.name == name)
}
