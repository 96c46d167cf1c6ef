//! What strangers and thieves do: they log in at a portal, they write a mail. Each from an address of its own, which
//! the trusted proxy in front of the sensor names.

use std::{io, net::Ipv4Addr, net::SocketAddr};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Tries a login at the portal; answers the status.
pub async fn log_in(
    client: &reqwest::Client,
    portal: SocketAddr,
    from: Ipv4Addr,
    name: &str,
    password: &str,
) -> reqwest::Result<u16> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("username", name)
        .append_pair("password", password)
        .finish();
    let request = client
        .post(format!("http://{portal}/login"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", from.to_string())
        .body(body);
    Ok(request.send().await?.status().as_u16())
}

/// Writes a mail; answers the last code: 250 if it was taken.
pub async fn write_mail(mx: SocketAddr, from: Ipv4Addr, to: &str) -> io::Result<u16> {
    let mail = format!("From: a@example.net\r\nTo: {to}\r\nSubject: Bonjour\r\n\r\nBonjour.\r\n");
    write(mx, from, "a@example.net", to, &mail).await
}

/// Writes this mail, under this reverse path; answers the last code.
pub async fn write(mx: SocketAddr, from: Ipv4Addr, sender: &str, to: &str, mail: &str) -> io::Result<u16> {
    let mut stream = BufReader::new(TcpStream::connect(mx).await?);
    stream.write_all(format!("PROXY TCP4 {from} 127.0.0.1 40000 25\r\n").as_bytes()).await?;
    answered(&mut stream).await?;
    let (sender, recipient) = (format!("MAIL FROM:<{sender}>"), format!("RCPT TO:<{to}>"));
    let mail = format!("{}.", mail.replace("\r\n.", "\r\n.."));
    let lines = ["EHLO client.example.net", &sender, &recipient, "DATA", &mail];
    let mut code = 0;
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        code = answered(&mut stream).await?;
        if code >= 400 {
            break;
        }
    }
    Ok(code)
}

async fn answered(stream: &mut BufReader<TcpStream>) -> io::Result<u16> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return line.get(..3).and_then(|code| code.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
    }
}
