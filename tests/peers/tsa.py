"""Answers RFC 3161 time-stamp queries on loopback by `openssl ts -reply`, and badly where the path asks for it."""
import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

home = pathlib.Path(sys.argv[1])
one_at_a_time = threading.Lock()


def stamp(query, key):
    with one_at_a_time, tempfile.TemporaryDirectory() as folder:
        asked = pathlib.Path(folder, "query")
        asked.write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", home / f"tsa/{key}.cnf", "-queryfile", asked]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


class Authority(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        query = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-type"] != "application/timestamp-query":
            return self.send_error(415)
        if self.path == "/dead":
            return time.sleep(60)
        if self.path == "/stale":
            # The last byte of the nonce stands before the three that ask for certificates.
            answer = stamp(query[:-4] + bytes([query[-4] ^ 1]) + query[-3:], "ec")
        elif self.path == "/refused":
            answer = stamp(b"nonsense", "ec")
        else:
            answer = stamp(query, self.path.strip("/"))
        self.send_response(200)
        self.send_header("content-type", "application/timestamp-reply")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authority)
(home / "tsa.env").write_text(
    f"export TELLTALE_TEST_TSA=http://127.0.0.1:{server.server_port}\nexport TELLTALE_TEST_TSA_HOME={home}/tsa\n"
)
server.serve_forever()
