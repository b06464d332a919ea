"""The mails that the emulated SES accepted, in the format of `GET /_local/mailbox`."""

from __future__ import annotations

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def mails(endpoint: str, to: str | None) -> list[dict]:
    """The mails to an address, newest first."""
    with urllib.request.urlopen(f"{endpoint}/_ministack/ses/messages", timeout=10) as answer:
        accounts = json.load(answer)["messages"]
    taken = [
        {
            "to": mail["To"][0],
            "subject": mail["Subject"],
            "text": mail["BodyText"],
            "html": mail["BodyHtml"],
            "at": mail["Timestamp"],
        }
        for messages in accounts.values()
        for mail in messages
        if to is None or to in mail["To"]
    ]
    return taken[::-1]


def serve(endpoint: str) -> ThreadingHTTPServer:
    """Serves the mailbox on a free port, until it is shut down."""

    class Mailbox(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            body = json.dumps(mails(endpoint, asked.get("to", [None])[0])).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mailbox)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
