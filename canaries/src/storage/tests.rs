//! Stored forms made by OpenSSL and by Python's hashlib are told; hostile ones cost nothing and upset nothing.

use super::{Budget, Kept, Salt, kept};
use crate::password::{self, Scheme};
use proptest::prelude::*;

const PASSWORD: &str = "Vd5kTRw2uzQx7";

fn told(field: &str, row: &[&str]) -> Option<Kept> {
    kept(PASSWORD, field, row, &mut Budget::new(60_000_000))
}

#[test]
fn every_stored_form_is_told() {
    use Salt::{After, Embedded, None as Bare};
    let sha512 = "99659391108bcbdc8146d162ce4375249e0c11fba4f199cc80d442c8e3c407925f4e9b9aa7d058f9fc40655a38b2696fc2a7b92125a1c85ed1c0618d295b32f6";
    let table: &[(&str, Salt, &str)] = &[
        ("plaintext", Bare, PASSWORD),
        ("md5", Bare, "59ed84abfaaab79555b7a59c6e103b29"),
        ("md5", Bare, "59ED84ABFAAAB79555B7A59C6E103B29"),
        ("sha1", Bare, "cfed2c05e2e22806065ee5df98d10937fef2ec95"),
        ("sha256", Bare, "\\x250c506c204fcd8da802842f0e248595b69cd897250377ad77928b041cab22d2"),
        ("sha512", Bare, sha512),
        ("mysql41", Bare, "*259F56964B7211E44A88185EC58A4C40E015132C"),
        ("md5", After, "md56c100aa266044e6edd6ef86ef9007f70"),
        ("sha1", Bare, "{SHA}z+0sBeLiKAYGXuXfmNEJN/7y7JU="),
        ("sha1", Bare, "z+0sBeLiKAYGXuXfmNEJN/7y7JU="),
        ("ssha", Embedded, "{SSHA}P2I+ezlnYwekYd7mbkYPeyPzWVNOYUNsTmFDbA=="),
        ("ssha", Embedded, "e1NTSEF9UDJJK2V6bG5Zd2VrWWQ3bWJrWVBleVB6V1ZOT1lVTnNUbUZEYkE9PQ=="),
        ("smd5", Embedded, "{smd5}t5AY1NwExDpA6SZcek6uRk5hQ2xOYUNs"),
        ("ssha256", Embedded, "{SSHA256}CoZOi7yCqqVXbC82rBVsU6ZQPDVX18v39wsyNjiDaO9OYUNsTmFDbA=="),
        (
            "ssha512",
            Embedded,
            "{SSHA512}5XJPmPLJakTzjh+mDNz+Bw2JuYUNBdQQZl+o1AmjfgJ7nj+Iiugv4jrmYxFi7KvSIDfiw1Au5ZtvOCb1o+Urbk5hQ2xOYUNs",
        ),
        ("md5crypt", Embedded, "$1$abcdefgh$vNRG3NR0eU7lilENswnDm0"),
        ("md5crypt", Embedded, "$apr1$abcdefgh$41KWa7oKpR2T0lqJVd81r1"),
        ("sha256crypt", Embedded, "$5$saltsaltsalt$H.dV.JQ2OPNvbqDAwUy50.zDipXG2yRRpOK55hfbhf1"),
        (
            "sha512crypt",
            Embedded,
            "{CRYPT}$6$saltsaltsalt$yEPDf8hpOclpaA8jR/e/pPEn2nNsFObI76OoPMGdrU2xEdtKlFaSLhYoJumzO50ZwppBSUyt1MtJXo1I7jaAh/",
        ),
        ("pbkdf2_sha256", Embedded, "pbkdf2_sha256$1000$gYx3PqsalT$vW013wh1Wf1EmdAHlks36cScce2XYlG7ly2atdvwYZI="),
        ("pbkdf2_sha1", Embedded, "pbkdf2_sha1$1000$gYx3PqsalT$XsTYdnH6F+NTo0e3hjtgHOhYHt0="),
        (
            "pbkdf2_sha512",
            Embedded,
            "$pbkdf2-sha512$1000$TmFDbE5hQ2xOYUNsTmFDbA$8q0Y/J0eG6.qThk8nlMO76pIUswFqZti4ihjTvFyW2BfHq5DeiecD7XRJhvjlhXoeGUi.N7gPN0Gvj8GC1SqDQ",
        ),
        ("pbkdf2_sha1", Embedded, "$pbkdf2$1000$TmFDbE5hQ2xOYUNsTmFDbA$0fnzS5hI5.3LESmadhxxkqUe7ZM"),
        (
            "pbkdf2_sha256",
            Embedded,
            "{PBKDF2-SHA256}1000$TmFDbE5hQ2xOYUNsTmFDbA$BE0wwN9CywCHZ5SFcwDEZaBPG6l.BFx2fzHA/F0m0Ns",
        ),
        (
            "pbkdf2_sha256",
            Embedded,
            "pbkdf2:sha256:1000$saltysalt$ef4900d68325c0e982909f01ed9f5472b1fe31248f622313fa2d4e02324daa89",
        ),
        (
            "pbkdf2_sha256",
            Embedded,
            "AQAAAAEAAAPoAAAAEE5hQ2xOYUNsTmFDbE5hQ2wETTDA30LLAIdnlIVzAMRloE8bqX4EXHZ/McD8XSbQ2w==",
        ),
        ("pbkdf2_sha1", Embedded, "AE5hQ2xOYUNsTmFDbE5hQ2zR+fNLmEjn7csRKZp2HHGSpR7tk1EkAuzMki0Zb5BYag=="),
        (
            "scrypt",
            Embedded,
            "scrypt:1024:8:1$saltysalt$67df499eb4bcb6f38ac160679bd2a5c4f7a0a98aedde0a122e8d1054457f48c3227f025d3e055d4db5433103594853a4482b65c65359658c9a3f459f6a98e82a",
        ),
        (
            "scrypt",
            Embedded,
            "scrypt$saltysalt$1024$8$1$Z99JnrS8tvOKwWBnm9KlxPegqYrt3goSLo0QVEV/SMMifwJdPgVdTbVDMQNZSFOkSCtlxlNZZYyaP0WfapjoKg==",
        ),
        (
            "scrypt",
            Embedded,
            "$scrypt$ln=10,r=8,p=1$TmFDbE5hQ2xOYUNsTmFDbA$oxwaMdD6k5glSXDrx0/UisGbDhua4CGUm3/mHckMhec",
        ),
    ];
    for (scheme, salt, field) in table {
        assert_eq!(told(field, &["x", "jdupont", "y"]), Some(Kept { scheme, salt: *salt }), "{field}");
        let other = kept("Vd5kTRw2uzQx8", field, &["x", "jdupont"], &mut Budget::new(60_000_000));
        assert_eq!(other, None, "{field} is no other password's");
    }
}

#[test]
fn what_is_planted_is_told_as_it_was_planted() {
    for scheme in Scheme::ALL {
        let stored = password::hash(*scheme, PASSWORD, &[0xa5; 16]);
        let name = if *scheme == Scheme::Plain { "plaintext" } else { scheme.as_str() };
        assert_eq!(told(&stored, &[]).map(|kept| kept.scheme), Some(name), "{stored}");
    }
    let django = format!("bcrypt${}", password::hash(Scheme::Bcrypt, PASSWORD, &[1; 16]));
    assert_eq!(told(&django, &[]).map(|kept| kept.scheme), Some("bcrypt"));
    let django = format!("argon2{}", password::hash(Scheme::Argon2id, PASSWORD, &[1; 16]));
    assert_eq!(told(&django, &[]).map(|kept| kept.scheme), Some("argon2id"));
}

#[test]
fn salts_are_found_in_the_row_and_in_the_field() {
    use data_encoding::HEXLOWER;
    use sha2::{Digest, Sha256};
    let hex = |bytes: &[&[u8]]| {
        HEXLOWER.encode(&bytes.iter().fold(md5::Md5::new(), |digest, part| digest.chain_update(part)).finalize())
    };
    let before = hex(&[b"pepper", PASSWORD.as_bytes()]);
    let after = hex(&[PASSWORD.as_bytes(), b"pepper"]);
    let kept = |salt| Some(Kept { scheme: "md5", salt });
    assert_eq!(told(&before, &["alice", "pepper"]), kept(Salt::Before));
    assert_eq!(told(&after, &["alice", "pepper"]), kept(Salt::After));
    assert_eq!(told(&after, &["alice"]), None);
    assert_eq!(told(&format!("pepper${before}"), &[]), kept(Salt::Before));
    assert_eq!(told(&format!("md5$pepper${before}"), &[]), kept(Salt::Before));
    assert_eq!(told(&format!("{after}:pepper"), &[]), kept(Salt::After));
    let bytes = [7, 200, 3, 4, 5, 6, 7, 8];
    let raw = HEXLOWER.encode(&Sha256::new().chain_update(bytes).chain_update(PASSWORD).finalize());
    let salted = Some(Kept { scheme: "sha256", salt: Salt::Before });
    assert_eq!(told(&raw, &[&HEXLOWER.encode(&bytes)]), salted, "a salt of bytes, written in hexadecimal");
    assert_eq!(told(&raw, &["B8gDBAUGBwg="]), salted, "and in base64");
}

#[test]
fn what_would_cost_too_much_is_refused_and_counted() {
    let dear = [
        "$2b$31$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi",
        "$argon2id$v=19$m=4194304,t=2,p=1$TmFDbE5hQ2xOYUNsTmFDbA$oxwaMdD6k5glSXDrx0/UisGbDhua4CGUm3/mHckMhec",
        "$argon2id$v=19$m=65536,t=4000000000,p=1$TmFDbE5hQ2xOYUNsTmFDbA$oxwaMdD6k5glSXDrx0/UisGbDhua4CGUm3/mHckMhec",
        "$6$rounds=999999999$saltsaltsalt$yEPDf8hpOclpaA8jR/e/pPEn2nNsFObI76OoPMGdrU2xEdtKlFaSLhYoJumzO50ZwppBSUyt1MtJXo1I7jaAh/",
        "pbkdf2_sha256$4000000000$salt$vW013wh1Wf1EmdAHlks36cScce2XYlG7ly2atdvwYZI=",
        "$scrypt$ln=30,r=8,p=1$TmFDbE5hQ2xOYUNsTmFDbA$oxwaMdD6k5glSXDrx0/UisGbDhua4CGUm3/mHckMhec",
        "$scrypt$ln=10,r=8,p=100000000$TmFDbE5hQ2xOYUNsTmFDbA$oxwaMdD6k5glSXDrx0/UisGbDhua4CGUm3/mHckMhec",
    ];
    for field in dear {
        let mut budget = Budget::new(60_000_000);
        assert_eq!((kept(PASSWORD, field, &[], &mut budget), budget.refused()), (None, 1), "{field}");
    }
    let mut spent = Budget::new(1_500);
    let form = "$1$abcdefgh$vNRG3NR0eU7lilENswnDm0";
    assert!(kept(PASSWORD, form, &[], &mut spent).is_some());
    assert!(kept(PASSWORD, form, &[], &mut spent).is_none() && spent.refused() == 1, "the budget is spent");
}

proptest! {
    #[test]
    fn no_field_upsets_it(
        field in "(\\$|:|\\{SSHA\\}|\\{CRYPT\\}|\\{PBKDF2-SHA256\\}|pbkdf2_sha256|scrypt|argon2id|v=19|m=[0-9]{1,11},t=[0-9]{1,3},p=[0-9]{1,9}|ln=[0-9]{1,3},r=[0-9]{1,10},p=[0-9]{1,10}|2b|1|5|6|rounds=[0-9]{1,12}|[0-9]{1,4}|[A-Za-z0-9+/]{1,24}|=|é|[a-f0-9]{32}){0,8}",
        row in prop::collection::vec("[ -~é]{0,20}", 0..4),
    ) {
        let row: Vec<&str> = row.iter().map(String::as_str).collect();
        prop_assert_eq!(kept(PASSWORD, &field, &row, &mut Budget::new(20_000)), None);
    }
}
