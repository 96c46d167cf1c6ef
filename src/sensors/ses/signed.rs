//! What SNS signs, and whether it did: some fields in their order, by RSA with SHA-1 (version 1) or SHA-256 (version 2).

use data_encoding::BASE64;
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use serde_json::Value;
use webpki::EndEntityCert;

const NOTIFICATION: &[&str] = &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const CONFIRMATION: &[&str] = &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

/// RSA with SHA-1, which SNS uses where a topic does not say otherwise, and nobody here for anything else.
#[derive(Debug)]
struct RsaSha1;

impl SignatureVerificationAlgorithm for RsaSha1 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key);
        key.verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        // sha1WithRSAEncryption (RFC 3279), with a NULL.
        AlgorithmIdentifier::from_slice(&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00])
    }
}

/// The text that is signed; none for what SNS does not send.
pub fn text(json: &Value) -> Option<String> {
    let names = match json["Type"].as_str()? {
        "Notification" => NOTIFICATION,
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => CONFIRMATION,
        _ => return None,
    };
    let mut text = String::new();
    for name in names {
        match json.get(*name) {
            Some(Value::String(value)) => text.push_str(&format!("{name}\n{value}\n")),
            None | Some(Value::Null) if *name == "Subject" => {}
            _ => return None,
        }
    }
    Some(text)
}

/// Whether the certificate's key has signed it.
pub fn is_signed(json: &Value, certificate: &CertificateDer<'_>) -> bool {
    let algorithm: &dyn SignatureVerificationAlgorithm = match json["SignatureVersion"].as_str() {
        Some("1") => &RsaSha1,
        Some("2") => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
        _ => return false,
    };
    let signature = json["Signature"].as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let (Some(text), Some(signature)) = (text(json), signature) else { return false };
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return false };
    certificate.verify_signature(algorithm, text.as_bytes(), &signature).is_ok()
}
