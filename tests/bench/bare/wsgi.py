"""One route that parses JSON and answers a small object; no check, no identity, no log line."""

from __future__ import annotations

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask("bare")


@app.post("/")
def answer() -> ResponseReturnValue:
    body = request.get_json()
    return jsonify({"error": False, "message": "logged", "data": {"name": body["name"]}})
