//! RFC 3161 time stamps: the question over some bytes, and the check of what an authority answered. A stamp counts only
//! if its signer's certificate leads to a root that we were told to trust. It asks nobody and reads no file.
//!
//! Answers must be DER, except that certificates may come in any order, as some authorities send them.

use cms::{
    cert::{
        CertificateChoices,
        x509::spki::{AlgorithmIdentifierOwned, ObjectIdentifier},
    },
    content_info::ContentInfo,
    signed_data::{SignedData, SignerInfo},
};
use der::{
    Any, Decode, Encode, Sequence, Tag, Tagged,
    asn1::{BitString, Int, OctetString},
};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring};

/// id-kp-timeStamping, as webpki takes it.
const STAMPS_TIME: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Why an answer is no time stamp of these bytes.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    #[error("the answer is no RFC 3161 time stamp: {0}")]
    Form(&'static str),
    #[error("the authority refused (status {0})")]
    Refused(u8),
    #[error("the time stamp is over other bytes")]
    Imprint,
    #[error("the time stamp answers another question")]
    Nonce,
    #[error("the time stamp's signature does not match")]
    Signature,
    #[error("the certificate of who stamped does not lead to a trusted root: {0}")]
    Untrusted(webpki::Error),
}

#[derive(Sequence)]
struct Imprint {
    hash_algorithm: AlgorithmIdentifierOwned,
    hashed_message: OctetString,
}

#[derive(Sequence)]
struct Question {
    version: u8,
    imprint: Imprint,
    nonce: u64,
    certificates: bool,
}

#[derive(Sequence)]
struct Status {
    status: u8,
    text: Option<Vec<Any>>,
    failure: Option<BitString>,
}

#[derive(Sequence)]
struct Answer {
    status: Status,
    token: Option<ContentInfo>,
}

#[derive(Sequence)]
struct TstInfo {
    version: u8,
    policy: ObjectIdentifier,
    imprint: Imprint,
    serial: Int,
    at: Any,
    accuracy: Option<Vec<Any>>,
    ordering: Option<bool>,
    nonce: Option<Int>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    authority: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Vec<Any>>,
}

/// The question for a stamp over these bytes.
pub fn question(text: &[u8], nonce: u64) -> Vec<u8> {
    let hash_algorithm = AlgorithmIdentifierOwned { oid: SHA_256, parameters: None };
    let hashed_message = OctetString::new(Sha256::digest(text).to_vec()).expect("32 bytes");
    let imprint = Imprint { hash_algorithm, hashed_message };
    Question { version: 1, imprint, nonce, certificates: true }.to_der().expect("few bytes")
}

/// Checks an answer over these bytes, and to this nonce where there is one, against trusted roots. Answers when it was
/// stamped, by the authority's clock.
pub fn check(
    answer: &[u8],
    text: &[u8],
    nonce: Option<u64>,
    roots: &[CertificateDer<'_>],
) -> Result<Timestamp, StampError> {
    let form = |what: &'static str| move |_: der::Error| StampError::Form(what);
    let answer = Answer::from_der(answer).map_err(form("not DER of the form that is expected"))?;
    // 0: granted, 1: granted with changes.
    if answer.status.status > 1 {
        return Err(StampError::Refused(answer.status.status));
    }
    let token = answer.token.ok_or(StampError::Form("it holds no token"))?;
    if token.content_type != SIGNED_DATA {
        return Err(StampError::Form("the token is not signed data"));
    }
    let signed: SignedData = token.content.decode_as().map_err(form("the token's signed data"))?;
    if signed.encap_content_info.econtent_type != TST_INFO {
        return Err(StampError::Form("what is signed is no time stamp"));
    }
    let content = signed.encap_content_info.econtent.ok_or(StampError::Form("nothing is signed"))?;
    let content: OctetString = content.decode_as().map_err(form("what is signed"))?;
    let info = TstInfo::from_der(content.as_bytes()).map_err(form("the time stamp itself"))?;
    if digest(info.imprint.hash_algorithm.oid, text).as_deref() != Some(info.imprint.hashed_message.as_bytes()) {
        return Err(StampError::Imprint);
    }
    if let Some(nonce) = nonce
        && info.nonce.and_then(|told| told.to_der().ok()) != nonce.to_der().ok()
    {
        return Err(StampError::Nonce);
    }
    let at = moment(&info.at).ok_or(StampError::Form("its time"))?;
    let certificates: Vec<CertificateDer<'static>> = signed
        .certificates
        .iter()
        .flat_map(|set| set.0.iter())
        .filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => certificate.to_der().ok().map(CertificateDer::from),
            CertificateChoices::Other(_) => None,
        })
        .collect();
    let [signer] = signed.signer_infos.0.as_slice() else {
        return Err(StampError::Form("it has not exactly one signer"));
    };
    let own = vouched(signer, content.as_bytes(), &certificates)?;
    trusted(own, &certificates, roots, at)?;
    Ok(at)
}

/// Checks the signature, and answers the certificate that it names as its own.
fn vouched<'c>(
    signer: &SignerInfo,
    content: &[u8],
    certificates: &'c [CertificateDer<'static>],
) -> Result<&'c CertificateDer<'static>, StampError> {
    let attributes = signer.signed_attrs.as_ref().ok_or(StampError::Form("nothing is said of what is signed"))?;
    let value = |oid: ObjectIdentifier| {
        let found = attributes.iter().find(|attribute| attribute.oid == oid)?;
        found.values.as_slice().first()
    };
    let kind = value(CONTENT_TYPE).and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    let told = value(MESSAGE_DIGEST).and_then(|any| any.decode_as::<OctetString>().ok());
    let own = digest(signer.digest_alg.oid, content).ok_or(StampError::Form("its digest is not known here"))?;
    if kind != Some(TST_INFO) || told.is_none_or(|told| told.as_bytes() != own) {
        return Err(StampError::Signature);
    }
    let (named, old) = match (value(SIGNING_CERTIFICATE_V2), value(SIGNING_CERTIFICATE)) {
        (Some(named), _) => (named, false),
        (None, Some(named)) => (named, true),
        (None, None) => return Err(StampError::Form("it does not name its certificate")),
    };
    let hash = named_hash(named).ok_or(StampError::Form("how it names its certificate"))?;
    let is_named = |certificate: &&CertificateDer<'static>| match hash.len() {
        20 if old => Sha1::digest(certificate).as_slice() == hash,
        32 => Sha256::digest(certificate).as_slice() == hash,
        48 => Sha384::digest(certificate).as_slice() == hash,
        64 => Sha512::digest(certificate).as_slice() == hash,
        _ => false,
    };
    let certificate = certificates.iter().find(is_named).ok_or(StampError::Form("its certificate is missing"))?;
    let signed = attributes.to_der().map_err(|_| StampError::Form("what is said of what is signed"))?;
    let end = EndEntityCert::try_from(certificate).map_err(StampError::Untrusted)?;
    let matches = schemes(signer.digest_alg.oid)
        .iter()
        .any(|scheme| end.verify_signature(*scheme, &signed, signer.signature.as_bytes()).is_ok());
    if matches { Ok(certificate) } else { Err(StampError::Signature) }
}

/// Whether a root vouches for whoever stamped, then.
fn trusted(
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'static>],
    roots: &[CertificateDer<'_>],
    at: Timestamp,
) -> Result<(), StampError> {
    let anchors = roots.iter().map(anchor_from_trusted_cert).collect::<Result<Vec<_>, _>>();
    let anchors = anchors.map_err(StampError::Untrusted)?;
    let end = EndEntityCert::try_from(own).map_err(StampError::Untrusted)?;
    let then = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().max(0) as u64));
    let usage = KeyUsage::required(STAMPS_TIME);
    end.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, others, then, usage, None, None)
        .map(drop)
        .map_err(StampError::Untrusted)
}

/// The first hash in a `SigningCertificate` of either version.
fn named_hash(named: &Any) -> Option<Vec<u8>> {
    let inside = |any: &Any| any.decode_as::<Vec<Any>>().ok();
    let first = inside(inside(inside(named)?.first()?)?.first()?)?;
    let hash = first.iter().find(|part| part.tag() == Tag::OctetString)?;
    Some(hash.value().to_vec())
}

fn digest(algorithm: ObjectIdentifier, text: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        SHA_256 => Some(Sha256::digest(text).to_vec()),
        SHA_384 => Some(Sha384::digest(text).to_vec()),
        SHA_512 => Some(Sha512::digest(text).to_vec()),
        _ => None,
    }
}

/// The signatures that go with a digest; the key says which of them it is.
fn schemes(digest: ObjectIdentifier) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    match digest {
        SHA_256 => {
            vec![ring::RSA_PKCS1_2048_8192_SHA256, ring::ECDSA_P256_SHA256, ring::ECDSA_P384_SHA256, ring::ED25519]
        }
        SHA_384 => {
            vec![ring::RSA_PKCS1_2048_8192_SHA384, ring::ECDSA_P384_SHA384, ring::ECDSA_P256_SHA384, ring::ED25519]
        }
        _ => vec![ring::RSA_PKCS1_2048_8192_SHA512, ring::ED25519],
    }
}

/// `20260504080000Z`, with a fraction where the authority tells one.
fn moment(time: &Any) -> Option<Timestamp> {
    let text = std::str::from_utf8(time.value()).ok().filter(|_| time.tag() == Tag::GeneralizedTime)?;
    let civil = DateTime::strptime("%Y%m%d%H%M%S%.f", text.strip_suffix('Z')?).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_with_and_without_a_fraction() {
        let read = |text: &str| moment(&Any::new(Tag::GeneralizedTime, text.as_bytes()).unwrap());
        assert_eq!(read("20260504080000Z"), Some("2026-05-04T08:00:00Z".parse().unwrap()));
        assert_eq!(read("20260504080000.25Z"), Some("2026-05-04T08:00:00.25Z".parse().unwrap()));
        assert_eq!(read("20260504080000"), None);
        assert_eq!(read("20261304080000Z"), None);
    }

    #[test]
    fn a_refusal_is_told() {
        let refused = [0x30, 5, 0x30, 3, 2, 1, 2];
        assert!(matches!(check(&refused, b"", None, &[]), Err(StampError::Refused(2))));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(check(&bytes, b"text", Some(1), &[]).is_err());
        }
    }
}
