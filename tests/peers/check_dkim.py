"""Judges mails on standard input (a JSON object a line: mail, domain, selector, record) by dkimpy, which verifies what mail servers
get. A changed body or subject, and a second sender, must fail."""
import json
import sys

import dkim

for given in map(json.loads, sys.stdin):
    mail = given["mail"].replace("\r\n", "\n").replace("\n", "\r\n").encode()
    wanted = f"{given['selector']}._domainkey.{given['domain']}.".encode()

    def record(name, timeout=5):
        assert name == wanted, name
        return given["record"].encode()

    def verifies(mail):
        return dkim.verify(mail, dnsfunc=record)

    assert verifies(mail), "the signature does not verify"
    assert not verifies(mail + b"more\r\n"), "a changed body passed"
    assert not verifies(mail.replace(b"\r\nSubject: ", b"\r\nSubject: no ", 1)), "a changed subject passed"
    assert not verifies(b"From: thief@example.org\r\n" + mail), "a second sender passed"
print("valid")
