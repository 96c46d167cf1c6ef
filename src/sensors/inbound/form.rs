//! The fields of a request, whichever way they are written: in its address, as a form, as a form of parts, or as JSON.
//! Limits on how many and how long; files are read for their names alone.

use data_encoding::BASE64;
use hyper::HeaderMap;
use multer::Multipart;
use serde_json::Value;
use std::convert::Infallible;

/// So many fields are read.
const FIELDS: usize = 500;

/// One field.
pub struct Field {
    pub name: String,
    pub value: Vec<u8>,
}

/// What a request bears.
#[derive(Default)]
pub struct Form {
    /// Fields of the body, in order.
    pub fields: Vec<Field>,
    /// Fields of the address.
    pub query: Vec<Field>,
    /// Names of the files that came as parts.
    pub files: Vec<String>,
    /// The body, where it is JSON.
    pub json: Option<Value>,
}

impl Form {
    /// Reads a request. What is none of these forms has no fields.
    pub async fn read(headers: &HeaderMap, query: &str, body: &[u8]) -> Form {
        let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind_only = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut form = Form { query: pairs(query.as_bytes()), ..Form::default() };
        match kind_only.as_str() {
            "application/x-www-form-urlencoded" => form.fields = pairs(body),
            "multipart/form-data" => form.read_parts(kind, body).await,
            // SNS says that its JSON is plain text.
            _ if body.trim_ascii_start().starts_with(b"{") => form.json = serde_json::from_slice(body).ok(),
            _ => {}
        }
        form
    }

    async fn read_parts(&mut self, kind: &str, body: &[u8]) {
        let Ok(boundary) = multer::parse_boundary(kind) else { return };
        let whole = futures_util::stream::iter([Ok::<_, Infallible>(bytes::Bytes::copy_from_slice(body))]);
        let mut parts = Multipart::new(whole, boundary);
        while let Ok(Some(part)) = parts.next_field().await {
            if self.fields.len() + self.files.len() >= FIELDS {
                return;
            }
            match (part.file_name().map(str::to_owned), part.name().map(str::to_owned)) {
                (Some(file), _) => self.files.push(file),
                (None, Some(name)) => {
                    let Ok(value) = part.bytes().await else { return };
                    self.fields.push(Field { name, value: value.to_vec() });
                }
                (None, None) => {}
            }
        }
    }

    /// The bytes of a field of the body.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.as_slice())
    }

    /// The text of a field of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// The text of a field of the body or of the address; of JSON, of its outermost object.
    pub fn anywhere(&self, name: &str) -> Option<String> {
        let asked = || self.query.iter().find(|field| field.name == name);
        let told = self.fields.iter().find(|field| field.name == name).or_else(asked);
        match told {
            Some(field) => Some(String::from_utf8_lossy(&field.value).into_owned()),
            None => match self.json.as_ref()?.get(name)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }
}

fn pairs(bytes: &[u8]) -> Vec<Field> {
    let read = url::form_urlencoded::parse(bytes).take(FIELDS);
    read.map(|(name, value)| Field { name: name.into_owned(), value: value.into_owned().into_bytes() }).collect()
}

/// User and password of `Authorization: Basic …`, as they stand there.
pub fn basic(headers: &HeaderMap) -> Option<Vec<u8>> {
    let text = headers.get("authorization")?.to_str().ok()?;
    let (scheme, coded) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(coded.trim().as_bytes()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(kind: &str, query: &str, body: &str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        Form::read(&headers, query, body.as_bytes()).await
    }

    #[tokio::test]
    async fn every_form_is_read() {
        let form =
            read("application/x-www-form-urlencoded; charset=utf-8", "key=k+1", "to=%2B336&text=a%20b&to=2").await;
        assert_eq!((form.text("to"), form.anywhere("key").as_deref()), (Some("+336"), Some("k 1")));
        let parts = "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nraw\r\nmail\r\n--x\r\nContent-Disposition: form-data; \
            name=\"attachment1\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--x--\r\n";
        let form = read("multipart/form-data; boundary=x", "", parts).await;
        assert_eq!((form.text("email"), form.files.as_slice()), (Some("raw\r\nmail"), ["a.pdf".to_owned()].as_slice()));
        let form = read("text/plain", "", " {\"to\": 336, \"deep\": {}}").await;
        assert_eq!((form.anywhere("to").as_deref(), form.anywhere("deep")), (Some("336"), None));
        for broken in ["multipart/form-data", "multipart/form-data; boundary=y", "application/json"] {
            let form = read(broken, "", parts).await;
            assert!(form.fields.is_empty() && form.json.is_none(), "{broken}");
        }
        let many = read("application/x-www-form-urlencoded", "", &"a=b&".repeat(10_000)).await;
        assert_eq!(many.fields.len(), FIELDS);
    }
}
