//! What the providers' sections have in common.

use crate::domain::{secret::Secret, section::SectionError};

/// A key that is not empty, or what is wrong with it.
pub fn given(key: &'static str, secret: Secret) -> Result<Secret, SectionError> {
    if secret.reveal().trim().is_empty() {
        return Err(SectionError::new(key, "it is empty: expected the provider's own key"));
    }
    Ok(secret)
}
