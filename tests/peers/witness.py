"""A witness on loopback: it remembers the last checkpoint of each journal, and cosigns only one that goes on from it."""
import base64
import hashlib
import http.server
import pathlib
import sys
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME = "witness.test/w1"
home = pathlib.Path(sys.argv[1])
key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
public = bytes([4]) + key.public_key().public_bytes_raw()
key_id = hashlib.sha256(NAME.encode() + b"\n" + public).digest()[:4]
seen = {}
one_at_a_time = threading.Lock()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def goes_on(old, old_root, size, root, proof):
    """RFC 9162, section 2.1.4.2."""
    if old == 0 or old == size:
        return not proof and (old == 0 or old_root == root)
    if not proof:
        return False
    proof = ([old_root] if old & (old - 1) == 0 else []) + proof
    first, second = old - 1, size - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    one = two = proof[0]
    for sibling in proof[1:]:
        if second == 0:
            return False
        if first & 1 or first == second:
            one, two = node(sibling, one), node(sibling, two)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            two = node(two, sibling)
        first, second = first >> 1, second >> 1
    return one == old_root and two == root and second == 0


class Witness(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text="", kind="text/plain"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["content-length"])).decode()
        prefix, _, call = self.path.rpartition("/")
        if call != "add-checkpoint":
            return self.answer(404)
        if prefix == "/dead":
            return time.sleep(60)
        try:
            head, note = asked.split("\n\n", 1)
            old, *proof = head.split("\n")
            old = int(old.removeprefix("old "))
            proof = [base64.b64decode(line, validate=True) for line in proof]
            text = note[: note.rindex("\n\n") + 1]
            origin, size, root = text.split("\n")[:3]
            size, root = int(size), base64.b64decode(root, validate=True)
        except ValueError:
            return self.answer(400)
        if prefix == "/unknown":
            return self.answer(404)
        with one_at_a_time:
            known, known_root = seen.get((prefix, origin), (0, b""))
            if old != known:
                return self.answer(409, f"{known}\n", "text/x.tlog.size")
            if not goes_on(old, known_root, size, root, proof):
                return self.answer(422)
            seen[prefix, origin] = (size, root)
        at = int(time.time())
        message = f"cosignature/v1\ntime {at}\n{text}".encode()
        signed = (other if prefix == "/elsewhere" else key).sign(message)
        line = base64.b64encode(key_id + at.to_bytes(8, "big") + signed).decode()
        self.answer(200, "" if prefix == "/mute" else f"\u2014 {NAME} {line}\n")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Witness)
vkey = f"{NAME}+{key_id.hex()}+{base64.b64encode(public).decode()}"
(home / "witness.part").write_text(
    f"export TELLTALE_TEST_WITNESS=http://127.0.0.1:{server.server_port}\nexport TELLTALE_TEST_WITNESS_KEY='{vkey}'\n"
)
(home / "witness.part").rename(home / "witness.env")
server.serve_forever()
