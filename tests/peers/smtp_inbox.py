"""Run by smtp_inbox.sh: writes each mail to DIR/smtp_inbox/N.eml, and where it listens to DIR/smtp_inbox.env."""
import asyncio
import itertools
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder = sys.argv[1]
numbers = itertools.count(1)


class Inbox:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return f"550 5.1.1 <{address}> unknown"
        if address.startswith("busy@"):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        path = f"{folder}/smtp_inbox/{next(numbers)}.eml"
        head = f"X-Envelope: {envelope.mail_from} {' '.join(envelope.rcpt_tos)} tls={server.transport.get_extra_info('ssl_object') is not None} user={session.authenticated}\r\n"
        with open(path + ".part", "wb") as file:
            file.write(head.encode() + envelope.original_content)
        os.rename(path + ".part", path)
        return "250 kept"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"telltale", b"a test's word")
    return AuthResult(success=right, handled=right)


async def main():
    loop = asyncio.get_running_loop()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{folder}/smtp_inbox.pem", f"{folder}/smtp_inbox.key")
    login = {"authenticator": authenticate}
    starttls = await loop.create_server(lambda: SMTP(Inbox(), tls_context=tls, **login), "127.0.0.1", 0)
    wrapped = await loop.create_server(lambda: SMTP(Inbox(), auth_require_tls=False, **login), "127.0.0.1", 0, ssl=tls)
    plain = await loop.create_server(lambda: SMTP(Inbox(), **login), "127.0.0.1", 0)
    port = lambda server: server.sockets[0].getsockname()[1]
    with open(f"{folder}/smtp_inbox.env.part", "w") as file:
        for name, value in {
            "STARTTLS": f"smtp://127.0.0.1:{port(starttls)}",
            "TLS": f"smtps://127.0.0.1:{port(wrapped)}",
            "PLAIN": f"smtp://127.0.0.1:{port(plain)}",
            "CA": f"{folder}/smtp_inbox.pem",
            "FOLDER": f"{folder}/smtp_inbox",
        }.items():
            file.write(f"export TELLTALE_TEST_SMTP_{name}={value}\n")
    os.rename(f"{folder}/smtp_inbox.env.part", f"{folder}/smtp_inbox.env")
    await asyncio.Event().wait()


asyncio.run(main())
