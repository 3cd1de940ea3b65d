"""A small WSGI application."""

import os


def app(environ, start_response):
    body = str(os.getpid()).encode() if environ["PATH_INFO"] == "/pid" else b"hello"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
